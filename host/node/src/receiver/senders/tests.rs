use super::*;
use preamp_base::Secret;

fn senders(proof: Proof) -> Result<Arc<Senders>, SendersError> {
    Senders::read(&preamp_config::Senders { extension: "who".to_owned(), proof })
}

fn tokens(scheme: &str, tokens: Tokens) -> Arc<Senders> {
    senders(Proof::Token { header: "authorization".to_owned(), scheme: scheme.to_owned(), tokens }).unwrap()
}

fn passwords(text: &str) -> Result<Arc<Senders>, SendersError> {
    senders(Proof::Password { file: None, inline: Some(Secret::new(text.to_owned())) })
}

fn admits(senders: &Senders, value: &str) -> bool {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
    senders.allow(&headers).is_ok()
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine as _;
    let shown = base64::prelude::BASE64_STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {shown}")
}

#[test]
fn only_tokens_that_are_known_are_good() {
    let given = Tokens::Given(["one", "two"].map(|token| Secret::new(token.to_owned())).to_vec());
    let bearer = tokens("Bearer", given.clone());
    for good in ["Bearer one", "bearer two", "Bearer  two "] {
        assert!(admits(&bearer, good), "{good}");
    }
    for bad in
        ["Bearer three", "Bearer", "Bearer ", "one", "Beareront", "Basic one", "Bearer on", "Bearer onee", ""]
    {
        assert!(!admits(&bearer, bad), "{bad}");
    }
    let refused = bearer.allow(&HeaderMap::new()).unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
    assert!(refused.message.contains("authorization is missing"), "{}", refused.message);
    assert_eq!(bearer.challenge(), "Bearer realm=\"preamp\"");
    let plain = tokens("", given);
    assert!(admits(&plain, "one") && !admits(&plain, "Bearer one") && !admits(&plain, ""));
}

#[test]
fn only_passwords_that_are_known_are_good() {
    // As `htpasswd -s` makes it, and slapd with a salt, of the password "secret".
    let known = "# who\n\nplain:pass:word\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
                 salted:{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0\nplain2:x\nplain2:y\n";
    let senders = passwords(known).unwrap();
    for (name, password) in [("plain", "pass:word"), ("sha", "secret"), ("salted", "secret"), ("plain2", "y")]
    {
        assert!(admits(&senders, &basic(name, password)), "{name}");
    }
    for (name, password) in
        [("plain", "pass"), ("sha", "Secret"), ("salted", ""), ("plain2", "x"), ("who", "")]
    {
        assert!(!admits(&senders, &basic(name, password)), "{name}");
    }
    for bad in ["Basic", "Basic !!!", "Basic cGxhaW4=", "Bearer one", ""] {
        assert!(!admits(&senders, bad), "{bad}");
    }
}

#[test]
fn passwords_that_cannot_be_verified_are_named_without_being_shown() {
    for (text, said) in [
        (
            "a:x\nb:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
            "line 2: preamp verifies no such hash",
        ),
        ("a:$apr1$x$y", "htpasswd -s"),
        ("a:{CRYPT}secret", "bearertokenauth"),
        ("a:{SHA}!", "the hash is no base64 of SHA-1"),
        ("secret", "expected name:password"),
        ("a:", "the password is empty"),
        ("\n", "no name in it"),
    ] {
        let error = passwords(text).err().unwrap().to_string();
        assert!(error.contains(said) && !error.contains("secret") && !error.contains("c4WoMPo3"), "{error}");
    }
}

#[test]
fn a_file_is_read_again_when_it_changes_and_one_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    assert!(senders(Proof::Password { file: Some(path.clone()), inline: None }).is_err(), "no file yet");
    std::fs::write(&path, "one\n").unwrap();
    let bearer = tokens("Bearer", Tokens::File(path.clone()));
    assert!(admits(&bearer, "Bearer one") && !admits(&bearer, "Bearer two"));
    std::fs::write(&path, "two\nthree").unwrap();
    bearer.look();
    assert!(
        !admits(&bearer, "Bearer one") && admits(&bearer, "Bearer two") && admits(&bearer, "Bearer three")
    );
    std::fs::write(&path, "\n").unwrap();
    bearer.look();
    assert!(admits(&bearer, "Bearer two"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    bearer.look();
    assert!(admits(&bearer, "Bearer two"));
}
