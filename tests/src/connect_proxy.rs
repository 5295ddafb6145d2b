//! A proxy on loopback.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// `user:secret-of-the-proxy`.
const PASSWORD: &str = "Basic dXNlcjpzZWNyZXQtb2YtdGhlLXByb3h5";

/// A proxy that knows the method CONNECT. It leads every name to one address, and keeps the heads of requests.
pub struct Proxy {
    /// Where it listens on loopback.
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(to: std::net::SocketAddr, wants_password: bool) -> anyhow::Result<Self> {
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

    /// The heads of the requests that came.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let is_known = head.lines().any(|line| line.to_lowercase().ends_with(&PASSWORD.to_lowercase()));
    if wants_password && !is_known {
        return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
    }
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    let mut behind = TcpStream::connect(to).await?;
    copy_bidirectional(&mut stream, &mut behind).await?;
    Ok(())
}
