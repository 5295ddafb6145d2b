//! The way through a proxy: by the file, by the environment, with a password, and around it.

use std::sync::{Arc, Mutex};

use amp_stand_in::{Options, StandIn};
use anyhow::ensure;
use preamp_tests::certificates::Authority;
use preamp_tests::running::Running;
use preamp_tests::tls_front::{BOTH, Identity, TlsFront};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{HERE, configuration, send};

/// `user:secret-of-the-proxy`.
const PASSWORD: &str = "Basic dXNlcjpzZWNyZXQtb2YtdGhlLXByb3h5";

/// A proxy that knows the method CONNECT. It leads every name to one address, and keeps the heads of requests.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(to: std::net::SocketAddr, wants_password: bool) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, to, wants_password, Arc::clone(&kept)));
            }
        });
        Ok(Self { port, heads })
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("nothing panicked").clone()
    }
}

async fn tunnel(
    stream: TcpStream,
    to: std::net::SocketAddr,
    wants_password: bool,
    heads: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await? > 0 {}
    heads.lock().expect("nothing panicked").push(head.clone());
    let is_known = head.lines().any(|line| line.to_lowercase().ends_with(&PASSWORD.to_lowercase()));
    if wants_password && !is_known {
        return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    }
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    let mut behind = TcpStream::connect(to).await?;
    copy_bidirectional(&mut stream, &mut behind).await?;
    Ok(())
}

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
