//! Credentials from environment variables, by the names every AWS tool reads.

use super::{Credentials, CredentialsError, CredentialsSource, Fetch, Secret};

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials,
/// `AWS_SESSION_TOKEN` from the environment of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

impl CredentialsSource for Environment {
    fn fetch(&self) -> Fetch<'_> {
        Box::pin(std::future::ready(read(|name| std::env::var(name).ok())))
    }
}

/// Reads the three variables through `variable`. One that is set but empty counts as missing, since
/// that is what an unset secret of a container platform looks like.
fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Credentials, CredentialsError> {
    let present = |name| variable(name).filter(|value| !value.trim().is_empty());
    let required = |name| present(name).ok_or_else(|| missing(name));
    Ok(Credentials {
        access_key_id: required(ACCESS_KEY_ID)?,
        secret_access_key: Secret::new(required(SECRET_ACCESS_KEY)?),
        session_token: present(SESSION_TOKEN).map(Secret::new),
        expires: None,
    })
}

fn missing(name: &str) -> CredentialsError {
    CredentialsError {
        problem: format!("no AWS credentials: the environment variable {name} is not set"),
        remedy: format!(
            "set {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY} (and {SESSION_TOKEN} for temporary credentials) and \
             restart; the principal needs the action aps:RemoteWrite"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, read};

    fn with<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn all_three_variables_are_read() {
        let found = read(with(&[
            (ACCESS_KEY_ID, "AKIDEXAMPLE"),
            (SECRET_ACCESS_KEY, "hush"),
            (SESSION_TOKEN, "token"),
        ]))
        .expect("complete");
        assert_eq!(found.access_key_id, "AKIDEXAMPLE");
        assert_eq!(found.secret_access_key.expose(), "hush");
        assert_eq!(found.session_token.map(|token| token.expose().to_owned()), Some("token".to_owned()));
        assert_eq!(found.expires, None);
    }

    #[test]
    fn an_empty_token_is_no_token() {
        let found =
            read(with(&[(ACCESS_KEY_ID, "AKIDEXAMPLE"), (SECRET_ACCESS_KEY, "hush"), (SESSION_TOKEN, "")]))
                .expect("complete");
        assert_eq!(found.session_token, None);
    }

    #[test]
    fn the_error_names_the_missing_variable_and_the_remedy() {
        let error =
            read(with(&[(ACCESS_KEY_ID, "AKIDEXAMPLE"), (SECRET_ACCESS_KEY, " ")])).expect_err("incomplete");
        assert!(error.problem.contains("AWS_SECRET_ACCESS_KEY is not set"), "{error}");
        assert!(error.to_string().contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let found = read(with(&[
            (ACCESS_KEY_ID, "AKIDEXAMPLE"),
            (SECRET_ACCESS_KEY, "hush"),
            (SESSION_TOKEN, "token!"),
        ]))
        .expect("complete");
        let shown = format!("{found:?}");
        assert!(
            shown.contains("AKIDEXAMPLE") && !shown.contains("hush") && !shown.contains("token!"),
            "{shown}"
        );
    }
}
