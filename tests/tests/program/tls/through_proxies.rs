//! The way through a proxy: by the file, by the environment, with a password, and around it.

use amp_stand_in::{Options, StandIn};
use anyhow::ensure;
use preamp_tests::certificates::Authority;
use preamp_tests::connect_proxy::Proxy;
use preamp_tests::running::{Running, preamp as command};
use preamp_tests::tls_front::{BOTH, Identity, TlsFront};

use super::{HERE, configuration, send};

#[tokio::test(flavor = "multi_thread")]
async fn each_way_is_taken_as_configured() -> anyhow::Result<()> {
    let authority = Authority::new("authority")?;
    let names = [HERE, &["receiver.example"]].concat();
    let own = authority.sign(&names)?;
    let identity = Identity { own: &own, clients: None, versions: BOTH };
    let folder = tempfile::tempdir()?;
    let ca = super::write(folder.path(), "ca.pem", &authority.pem())?;
    let ca = format!("tls: {{ca_file: {}}}", ca.display());
    let elsewhere =
        "https://receiver.example/workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write";
    for (way, wants_password, is_here, uses_proxy) in [
        ("file", false, false, true),
        ("file", true, false, true),
        ("file", false, true, true),
        ("HTTPS_PROXY", false, false, true),
        ("https_proxy", true, false, true),
        ("HTTPS_PROXY", false, true, false),
    ] {
        let stand_in = StandIn::start(Options::unsigned()).await?;
        let front = TlsFront::start(&identity, stand_in.address()).await?;
        let proxy = Proxy::start(front.address, wants_password).await?;
        let user = if wants_password { "user:secret-of-the-proxy@" } else { "" };
        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        let endpoint = if is_here { front.url(&stand_in.url()) } else { elsewhere.to_owned() };
        let (keys, environment) = match way {
            "file" => (format!("{ca}\n    proxy_url: {url}"), vec![]),
            name => (ca.clone(), vec![(name, url.as_str())]),
        };
        let logs = tempfile::tempdir()?;
        let mut preamp = Running::start(&configuration(&endpoint, &keys), &environment, logs.path())?;
        send(&preamp, 5)?;
        preamp.wait_until_delivered()?;
        let heads = proxy.heads();
        assert_eq!(!heads.is_empty(), uses_proxy, "{way}: {heads:?}");
        if !is_here {
            assert!(heads[0].starts_with("CONNECT receiver.example:443 "), "{way}: {heads:?}");
        }
        assert!(!preamp.said().contains("secret-of-the-proxy"), "{}", preamp.said());
        ensure!(preamp.terminate()?.success(), "{}", preamp.said());

        // `check` takes the same way, and says so.
        let mut check = command(&["check"], &logs.path().join("preamp.yaml"))?;
        check.env_clear().envs(environment).env("HOME", logs.path());
        let checked = tokio::task::spawn_blocking(move || check.output()).await??;
        let said = String::from_utf8(checked.stdout)?;
        assert_eq!(checked.status.code(), Some(0), "{way}: {said}");
        let named_by = if way == "file" { "proxy_url" } else { way };
        let through = format!("through the proxy 127.0.0.1:{} ({named_by}), with TLS", proxy.port);
        let spared = format!("not through the proxy of {named_by}");
        assert!(said.contains(if uses_proxy { &through } else { &spared }), "{way}: {said}");
        let looks_up = "127.0.0.1 is 127.0.0.1; it looks up receiver.example itself";
        assert_eq!(said.contains(looks_up), !is_here, "{way}: {said}");
        assert!(!said.contains("secret-of-the-proxy"), "{way}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_lets_nobody_through_is_told() -> anyhow::Result<()> {
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let proxy = Proxy::start(stand_in.address(), true).await?;
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let folder = tempfile::tempdir()?;
    let text = configuration("https://receiver.example/write", &format!("proxy_url: {url}"));
    let mut preamp = Running::start(&text, &[], folder.path())?;
    send(&preamp, 1)?;
    let told = |log: &str| log.contains("through the proxy: ").then_some(());
    preamp.wait_for("the operator to be told", told)?;
    assert!(preamp.said().to_lowercase().contains("proxy authorization required"), "{}", preamp.said());
    Ok(())
}
