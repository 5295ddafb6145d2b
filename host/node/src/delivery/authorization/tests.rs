use super::Authorization;
use http::Request;
use preamp_base::Secret;
use preamp_config::{Authorization as Settings, Shown};
use std::time::Duration;

fn given(text: &str) -> Shown {
    Shown::Given(Secret::new(text.to_owned()))
}

fn token(scheme: &str, token: Shown) -> Settings {
    Settings::Token { header: "authorization".to_owned(), scheme: scheme.to_owned(), token }
}

async fn shown(authorization: &Authorization) -> Result<String, String> {
    let mut request = Request::new(());
    authorization.show(&mut request).await?;
    Ok(request.headers()["authorization"].to_str().expect("text").to_owned())
}

#[tokio::test]
async fn users_and_tokens_are_shown_as_http_has_them() {
    for (settings, expected) in [
        // The example of RFC 7617.
        (
            Settings::Basic { username: given("Aladdin"), password: given("open sesame") },
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (token("Bearer", given("t0k3n")), "Bearer t0k3n"),
        (token("", given("t0k3n")), "t0k3n"),
    ] {
        let authorization = Authorization::new(&settings);
        assert_eq!(shown(&authorization).await.as_deref(), Ok(expected));
        assert!(!format!("{authorization:?}").contains("t0k3n"));
    }
    let problem = shown(&Authorization::new(&token("Bearer", given("a\nb")))).await.expect_err("no header");
    assert!(problem.contains("control character") && !problem.contains('\n'), "{problem}");
}

#[tokio::test]
async fn a_file_is_read_again_and_one_that_is_gone_leaves_what_it_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let authorization = Authorization::new(&token("Bearer", Shown::File(path.clone())));
    let authorization = Authorization { fresh: Duration::ZERO, ..authorization };
    assert!(shown(&authorization).await.expect_err("no file").contains("token"));
    for (text, value) in [("one\n", "Bearer one"), ("\n two \nthree\n", "Bearer two"), ("", "Bearer two")] {
        std::fs::write(&path, text).expect("written");
        assert_eq!(shown(&authorization).await.as_deref(), Ok(value), "{text:?}");
    }
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(shown(&authorization).await.as_deref(), Ok("Bearer two"));
}
