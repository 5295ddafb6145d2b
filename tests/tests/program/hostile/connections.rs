//! Connections that say nothing, or not enough: they end in time, and shut nobody out.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use preamp_tests::certificates::Authority;
use preamp_tests::good_sender;
use preamp_tests::http2_wire::{END_STREAM, field, frame, kind};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::hostile::rig::{Attacked, Keys, PATIENCE};

/// Time-outs that a test can wait for.
const SHORT: Keys<'static> = Keys {
    grpc: ", keepalive: {server_parameters: {max_connection_idle: 1s, time: 1s, timeout: 1s}}",
    http: ", read_header_timeout: 1s, idle_timeout: 1s",
    health: ", read_header_timeout: 1s, idle_timeout: 1s",
    exporter: "",
    extensions: "",
    extension_names: "",
};

/// How long a connection may stay after its time-out of one second, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(6);

/// A port, and what it is for.
type Port = (&'static str, SocketAddr);

/// The port for health.
fn health(attacked: &Attacked) -> anyhow::Result<Port> {
    Ok(("health", attacked.preamp.health.context("no health server")?))
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client says before it says nothing more.
fn beginnings() -> Vec<(&'static str, Vec<u8>)> {
    let hello = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    // A head that goes on, and never does.
    let half_a_block =
        [hello.clone(), frame(kind::HEADERS, END_STREAM, 1, &field(":method", "GET"))].concat();
    vec![
        ("nothing", Vec::new()),
        ("half a head", b"GET /metrics HTTP/1.1\r\nhost: preamp\r\n".to_vec()),
        ("a request, and then nothing", b"GET /metrics HTTP/1.1\r\nhost: preamp\r\n\r\n".to_vec()),
        ("half of HTTP/2's first words", PREFACE[..9].to_vec()),
        ("an idle connection of HTTP/2", hello),
        ("half a header block", half_a_block),
    ]
}

/// Opens a connection for each beginning on each of the ports, and waits until all are closed, for so long at most.
fn all_close(ports: &[Port], most: Duration) -> anyhow::Result<()> {
    let mut held = Vec::new();
    for (port, address) in ports {
        for (beginning, bytes) in beginnings() {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(&bytes)?;
            stream.set_nonblocking(true)?;
            held.push((format!("{port}: {beginning}"), stream));
        }
    }
    let (all, started) = (held.len(), Instant::now());
    while !held.is_empty() && started.elapsed() < most {
        held.retain_mut(|(_, stream)| !is_closed(stream));
        std::thread::sleep(Duration::from_millis(20));
    }
    let open: Vec<_> = held.into_iter().map(|(name, _)| name).collect();
    ensure!(open.is_empty(), "{} of {all} connections are still open: {open:#?}", open.len());
    Ok(())
}

#[test]
fn a_connection_that_says_nothing_or_not_enough_is_closed() -> anyhow::Result<()> {
    let attacked = Attacked::start(SHORT)?;
    let (grpc, http) = (("gRPC", attacked.preamp.grpc), ("HTTP", attacked.preamp.http));
    all_close(&[grpc, http, health(&attacked)?], SOON)?;
    attacked.survives(PATIENCE)?;
    Ok(())
}

/// The port of `/metrics` has no keys for its time-outs, which are of two minutes at most.
#[test]
#[ignore = "takes two minutes"]
fn a_connection_that_says_nothing_or_not_enough_is_closed_after_two_minutes_without_any_setting()
-> anyhow::Result<()> {
    let attacked = Attacked::start(Keys::default())?;
    let (grpc, http) = (("gRPC", attacked.preamp.grpc), ("HTTP", attacked.preamp.http));
    let metrics = ("/metrics", attacked.preamp.metrics());
    all_close(&[grpc, http, metrics, health(&attacked)?], Duration::from_secs(150))?;
    attacked.survives(PATIENCE)?;
    Ok(())
}

/// Whether the other side has ended it. What it said before does not matter.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
            }
        }
    }
}

/// Holds so many connections that say nothing, each of which is made anew when it is closed, until it is dropped.
struct Silence {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silence {
    fn start(to: SocketAddr, connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let connect = move || {
            let stream = TcpStream::connect_timeout(&to, Duration::from_millis(100)).ok()?;
            stream.set_nonblocking(true).ok()?;
            Some(stream)
        };
        let thread = std::thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            while !until.load(Ordering::Relaxed) {
                held.retain_mut(|stream| !is_closed(stream));
                held.extend((held.len()..connections).map_while(|_| connect()));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

#[test]
fn more_silent_connections_than_descriptors_leave_room_for_senders_metrics_and_health() -> anyhow::Result<()>
{
    let few = |run: &Command| {
        let mut limited = Command::new("sh");
        limited
            .args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""])
            .arg(run.get_program())
            .args(run.get_args());
        limited
    };
    let attacked = Attacked::start_through(SHORT, few)?;
    let silence = [Silence::start(attacked.preamp.http, 300), Silence::start(attacked.preamp.grpc, 300)];
    let until = Instant::now() + Duration::from_secs(6);
    let mut unanswered = Vec::new();
    let (metrics, health) = (("/metrics", attacked.preamp.metrics()), health(&attacked)?);
    while Instant::now() < until {
        for ((name, address), path) in [(metrics, "/metrics"), (health, "/")] {
            let began = Instant::now();
            let reply = exchange(address, "GET", path, &[("host", "localhost")], b"");
            if reply.is_none_or(|reply| reply.status != 200) || began.elapsed() > Duration::from_secs(2) {
                unanswered.push(format!("{name} after {:?}", began.elapsed()));
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(silence);
    ensure!(unanswered.is_empty(), "not answered: {unanswered:?}");
    let said = attacked.preamp.said();
    let told = said.lines().filter(|line| line.contains("connection") || line.contains("descriptor")).count();
    ensure!((1..=20).contains(&told), "{told} lines tell of it:\n{said}");
    let page = attacked.preamp.self_metrics()?;
    let counts = page.lines().filter(|line| !line.starts_with('#') && line.contains("connections"));
    let counted: f64 = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    ensure!(counted > 0.0, "no counter tells of it:\n{page}");
    // Among so many that connect, a good one may be cut off before it was read; it tries again as all senders do.
    let fared = attacked.lives_on(SOON)?;
    ensure!(fared.again * 5 <= fared.took.len(), "{fared:?}");
    Ok(())
}

#[test]
fn silent_sockets_do_not_keep_a_sender_waiting_for_its_tls_handshake() -> anyhow::Result<()> {
    let authority = Authority::new("authority")?;
    let certificates = tempfile::tempdir()?;
    let (certificate, key) = authority.sign(&["localhost"])?.write(certificates.path(), "server")?;
    let tls = format!(", tls: {{cert_file: '{}', key_file: '{}'}}", certificate.display(), key.display());
    let attacked = Attacked::alone(Keys { http: &tls, grpc: &tls, ..Keys::default() })?;
    let to = attacked.preamp.http;
    let silence = Silence::start(to, 600);
    std::thread::sleep(Duration::from_millis(500));
    let mut took = Vec::new();
    for number in 0..10 {
        let began = Instant::now();
        let sent = post_over_tls(to, &authority.pem(), &payloads::of_now(1, number));
        took.push(began.elapsed());
        sent.with_context(|| format!("the good sender after {:?}", began.elapsed()))?;
        ensure!(began.elapsed() < Duration::from_secs(1), "a good sender waited: {took:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("TLS beside 600 silent sockets: {took:?}");
    drop(silence);
    ensure!(attacked.preamp.self_metrics().is_ok(), "it ended: {}", attacked.preamp.said());
    Ok(())
}

fn post_over_tls(to: SocketAddr, authority: &str, payload: &[u8]) -> anyhow::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    good_sender::post_on(StreamOwned::new(connection, stream), "localhost", payload)
}

#[test]
fn descriptors_that_were_all_taken_are_there_again_once_they_are_given_back() -> anyhow::Result<()> {
    let few = |run: &Command| {
        let mut limited = Command::new("sh");
        limited
            .args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""])
            .arg(run.get_program())
            .args(run.get_args());
        limited
    };
    let attacked = Attacked::start_through(SHORT, few)?;
    let silence = Silence::start(attacked.preamp.http, 200);
    std::thread::sleep(Duration::from_secs(1));
    drop(silence);
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    good_sender::post(attacked.preamp.http, &payloads::of_now(1, 1))?;
    ensure!(began.elapsed() < Duration::from_secs(2), "it took {:?} to recover", began.elapsed());
    let open =
        std::fs::read_dir(Path::new("/proc").join(attacked.preamp.id().to_string()).join("fd"))?.count();
    ensure!(open < 100, "{open} descriptors are still open");
    attacked.survives(SOON)?;
    Ok(())
}
