//! HTTP on loopback with nothing between the test and the wire.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;

/// An answer; header names in lower case.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

/// One exchange on a connection of its own, as HTTP/1.0 so that answers come unchunked. `None` when the connection
/// ended without an answer.
#[must_use]
pub fn exchange(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Reply> {
    let mut stream = ask("1.0", address, method, target, headers, body)?;
    let mut answer = Vec::new();
    let _read = stream.read_to_end(&mut answer);
    parse(&answer)
}

/// The same with a server that takes nothing but HTTP/1.1. Its answer must say how long it is, for the server need not
/// end the connection.
#[must_use]
pub fn exchange_1_1(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Reply> {
    let mut stream = ask("1.1", address, method, target, headers, body)?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        answer.extend_from_slice(&part[..read]);
        let reply = parse(&answer);
        let length = |reply: &Reply| reply.headers.get("content-length")?.parse().ok();
        if reply.as_ref().is_some_and(|reply| length(reply).is_some_and(|length| reply.bytes.len() >= length))
        {
            return reply;
        }
    }
}

/// Sends a request on a connection of its own.
fn ask(
    version: &str,
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut request = format!("{method} {target} HTTP/{version}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    // The other side may answer, or cut, before it has read everything.
    let _sent = stream.write_all(&bytes);
    Some(stream)
}

fn parse(answer: &[u8]) -> Option<Reply> {
    const END: &[u8] = b"\r\n\r\n";
    let length = answer.windows(END.len()).position(|part| part == END)?;
    let (head, bytes) = (String::from_utf8_lossy(&answer[..length]), answer[length + END.len()..].to_vec());
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Reply { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes })
}

/// Below the ports that systems give out by themselves, which other tests take meanwhile.
const PORTS: Range<u16> = 12_000..32_000;

/// Ports that nobody listens on at the moment.
///
/// # Errors
/// When there are hardly any.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    // Held all at once, so that they differ.
    let attempts = (0..N * 20).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS))));
    let listeners: Vec<_> = attempts.filter_map(Result::ok).take(N).collect();
    let ports: Vec<_> =
        listeners.iter().map(|it| Ok(it.local_addr()?.port())).collect::<Result<_, std::io::Error>>()?;
    ports.try_into().ok().context("hardly any port is free")
}
