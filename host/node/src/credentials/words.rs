//! Where credentials will come from, as far as that is known before anybody is asked.

use preamp_config::{AwsCredentials, BaseCredentials};
use std::path::PathBuf;

/// A source of the chain that all AWS tools look through, by the variable that names it. The first that is there counts.
const VARIABLES: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "environment variables"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "a web identity"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "the container"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "the container"),
];

/// Where the credentials of this process come from, in words. An access key id is shown without its middle.
#[must_use]
pub fn in_words(credentials: &AwsCredentials) -> String {
    describe(credentials, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn describe(credentials: &AwsCredentials, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let base = match &credentials.base {
        BaseCredentials::Chain => chain(variable),
        BaseCredentials::Profile(name) => format!("the profile {name}"),
        BaseCredentials::Keys { access_key_id, .. } => {
            format!("the keys in the file ({})", masked(access_key_id))
        }
    };
    match &credentials.assume_role {
        None => base,
        Some(role) => match &role.web_identity_token_file {
            Some(_) => format!("the role {}, assumed with a web identity", role.arn),
            None => format!("the role {}, assumed with {base}", role.arn),
        },
    }
}

fn chain(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let [keys, others @ ..] = VARIABLES;
    if let Some(id) = variable(keys.0) {
        return format!("{} ({})", keys.1, masked(&id));
    }
    // A profile counts before a web identity.
    if let Some(profile) = variable("AWS_PROFILE") {
        return format!("the profile {profile}");
    }
    let files = [
        variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from),
        variable("HOME").map(|home| PathBuf::from(home).join(".aws/credentials")),
    ];
    if files.into_iter().flatten().next().is_some_and(|file| file.exists()) {
        return "the profile default".to_owned();
    }
    match others.iter().find(|(name, _)| variable(name).is_some()) {
        Some(("AWS_WEB_IDENTITY_TOKEN_FILE", words)) => match variable("AWS_ROLE_ARN") {
            Some(role) => format!("{words} for the role {role}"),
            None => (*words).to_owned(),
        },
        Some((_, words)) => (*words).to_owned(),
        None => "the instance, if it has a role".to_owned(),
    }
}

/// An access key id without its middle: it is no secret, but a log is passed around.
#[must_use]
pub fn masked(access_key_id: &str) -> String {
    let id: Vec<char> = access_key_id.chars().collect();
    if id.len() < 12 {
        return "…".to_owned();
    }
    let [first, last] = [&id[..4], &id[id.len() - 4..]].map(|part| part.iter().collect::<String>());
    format!("{first}…{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use preamp_base::Secret;

    fn words(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        describe(&AwsCredentials::default(), &variable)
    }

    #[test]
    fn the_first_source_of_the_chain_is_named() {
        let key = ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(words(&[key, ("AWS_PROFILE", "p")]), "environment variables (AKIA…MPLE)");
        assert_eq!(words(&[("AWS_PROFILE", "p")]), "the profile p");
        let identity = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
        assert_eq!(words(&identity), "a web identity for the role arn:aws:iam::1:role/r");
        assert_eq!(words(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://h")]), "the container");
        assert_eq!(words(&[]), "the instance, if it has a role");
    }

    #[test]
    fn keys_of_the_file_are_named_without_the_secret() {
        let base = BaseCredentials::Keys {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI".to_owned()),
        };
        let told = describe(&AwsCredentials { base, ..AwsCredentials::default() }, &|_| None);
        assert_eq!(told, "the keys in the file (AKIA…MPLE)");
    }
}
