//! Strangers who connect and say nothing, little, or all of it slowly, with a good sender beside them.

use crate::receivers::client::{METRICS_EXPORT, RpcStatus};
use crate::receivers::has_retry_info;
use crate::receivers::rig::{PATIENCE, Rig};
use crate::receivers::samples;
use amp_stand_in::Options;
use bytes::Bytes;
use hyper::body::{Body, Frame};
use preamp_config::{Listener, Serving, Settings};
use preamp_tests::payloads;
use prost::Message as _;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::client::GrpcService;

/// How HTTP/2 begins: the greeting, and settings that ask for nothing.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// A frame of HTTP/2 that begins the head of a request, which others are to go on with.
const HALF_A_HEAD: &[u8] = b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x83";

/// The same greeting by somebody who lets nothing be sent, and a request with an answer: `GET /`.
const UNREAD: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\
                        \x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x86\x84";

const HALF_A_REQUEST: &[u8] = b"POST /v1/metrics HTTP/1.1\r\nhost: preamp\r\ncontent-ty";

/// The head of a request with a body that does not come.
const HEAD: &[u8] = b"POST /v1/metrics HTTP/1.1\r\nhost: preamp\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 1000\r\n\r\n";

const WHOLE: &[u8] = b"POST /v1/metrics HTTP/1.1\r\nhost: preamp\r\ncontent-type: application/x-protobuf\r\n\
                       content-length: 0\r\n\r\n";

async fn rig(change: impl FnOnce(&mut Serving) + Clone) -> Rig {
    Rig::changed(Options::unsigned(), |settings, _| {
        for listener in listeners(settings) {
            change.clone()(&mut listener.serving);
        }
    })
    .await
}

fn listeners(settings: &mut Settings) -> impl Iterator<Item = &mut Listener> {
    [&mut settings.receiver.grpc, &mut settings.receiver.http].into_iter().flatten()
}

async fn connect(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(sent).await.expect("sent");
    socket
}

/// Reads until the other side closes the connection, which it must.
async fn until_closed(mut socket: TcpStream, what: &str) -> Vec<u8> {
    let mut read = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut read)).await;
    // One that is broken off is closed too.
    let _ended = closed.unwrap_or_else(|_| panic!("{what}: still open"));
    read
}

/// The value of a self-metric with these labels.
fn counted(rig: &Rig, line: &str) -> u64 {
    let page = rig.running.node().encode_metrics();
    let value = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    value.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_slow_connections_end_on_both_ports_and_good_ones_do_not() {
    let rig = rig(|serving| {
        serving.read_header_timeout = Some(Duration::from_millis(300));
        serving.idle_timeout = Some(Duration::from_millis(600));
        serving.read_timeout = Some(Duration::from_millis(400));
        serving.write_timeout = Some(Duration::from_millis(500));
    })
    .await;
    let addresses = rig.running.addresses();
    let (http, grpc) = (addresses.http.expect("OTLP/HTTP"), addresses.grpc.expect("OTLP/gRPC"));
    let half_a_stream = [GREETING, HALF_A_HEAD].concat();
    let mut strangers = Vec::new();
    for address in [http, grpc] {
        for (what, sent) in
            [("silence", &b""[..]), ("settings", GREETING), ("half a head of HTTP/2", &half_a_stream)]
        {
            strangers.push((what, connect(address, sent).await));
        }
    }
    for (what, sent) in [
        ("half a head", HALF_A_REQUEST),
        ("no body", HEAD),
        ("one request", WHOLE),
        ("an answer that is not read", UNREAD),
    ] {
        strangers.push((what, connect(http, sent).await));
    }
    let good = async {
        for _ in 0..8 {
            rig.still_accepts("strangers").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let strangers = async {
        for (what, socket) in strangers {
            let read = String::from_utf8_lossy(&until_closed(socket, what).await).into_owned();
            match what {
                "no body" => {
                    assert!(read.starts_with("HTTP/1.1 408 ") && read.contains("read_timeout"), "{read}")
                }
                "one request" => assert!(read.starts_with("HTTP/1.1 200 "), "{read}"),
                _ => {}
            }
        }
    };
    tokio::join!(good, strangers);
    for (listener, reason, least) in [
        ("http", "read-header-timeout", 2),
        ("http", "idle-timeout", 3),
        ("http", "write-timeout", 1),
        ("grpc", "idle-timeout", 2),
        ("grpc", "read-header-timeout", 1),
    ] {
        let line = format!("preamp_connections_closed_total{{listener=\"{listener}\",reason=\"{reason}\"}}");
        assert!(counted(&rig, &line) >= least, "{line}\n{}", rig.running.node().encode_metrics());
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_all_connections_loses_them_to_those_who_send() {
    let rig = rig(|serving| serving.max_connections = 40).await;
    let addresses = rig.running.addresses();
    let mut held = Vec::new();
    for round in 0..6 {
        for address in [addresses.http, addresses.grpc].into_iter().flatten() {
            for sent in [&b""[..], HALF_A_REQUEST, GREETING].iter().cycle().take(40) {
                // Some of them are closed before they get this far.
                if let Ok(mut socket) = TcpStream::connect(address).await {
                    let _sent = socket.write_all(sent).await;
                    held.push(socket);
                }
            }
        }
        let started = Instant::now();
        rig.still_accepts("all connections taken").await;
        assert!(started.elapsed() < Duration::from_secs(2), "round {round}: {:?}", started.elapsed());
    }
    for listener in ["http", "grpc"] {
        let open = counted(&rig, &format!("preamp_connections{{listener=\"{listener}\"}}"));
        assert!(open <= 40 + 32, "{listener}: {open}");
        assert_eq!(counted(&rig, &format!("preamp_connections_limit{{listener=\"{listener}\"}}")), 40);
        let line = format!("preamp_connections_closed_total{{listener=\"{listener}\",reason=\"displaced\"}}");
        assert!(counted(&rig, &line) > 100, "{}", rig.running.node().encode_metrics());
    }
    drop(held);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_hold_up_no_tls_handshake() {
    use preamp_base::Secret;
    use preamp_config::{ClientSettings, ClientTls, Pem, ServerTls, TlsIdentity, TlsProtocol};
    use preamp_contract::{Header, Request};
    use preamp_host::delivery::HttpClient;
    use preamp_tests::certificates::Authority;

    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new("authority").expect("an authority");
    let pair = authority.sign(&["127.0.0.1"]).and_then(|pair| Ok(pair.write(folder.path(), "server")?));
    let (certificate, key) = pair.expect("a certificate");
    let identity = TlsIdentity { certificate: Pem::File(certificate), key: Pem::File(key) };
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        let http = settings.receiver.http.as_mut().expect("OTLP/HTTP");
        http.tls = Some(ServerTls { identity, client_ca: None, protocol: TlsProtocol::default() });
    })
    .await;
    let address = rig.running.addresses().http.expect("OTLP/HTTP");
    let ca = Some(Pem::Text(Secret::new(authority.pem())));
    let settings = ClientSettings {
        tls: ClientTls { ca, ..ClientTls::default() },
        ..ClientSettings::new(Duration::from_secs(10))
    };
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let mut silent = Vec::new();
    for round in 0..3 {
        for _ in 0..600 {
            silent.extend(TcpStream::connect(address).await);
        }
        // Each time another connection, so that there is a handshake.
        let client = HttpClient::new(&settings).expect("a sound certificate");
        let request = Request {
            method: "POST".into(),
            url: format!("https://{address}/v1/metrics"),
            headers: vec![
                header("host", &address.to_string()),
                header("content-type", "application/x-protobuf"),
            ],
        };
        let started = Instant::now();
        let response = client.send(request, payloads::requests(1).into()).await.response;
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        rig.took(1);
        assert!(started.elapsed() < Duration::from_secs(2), "round {round}: {:?}", started.elapsed());
    }
    let line = "preamp_connections_closed_total{listener=\"http\",reason=\"displaced\"}";
    assert!(counted(&rig, line) > 100, "more than so many handshakes at a time\n{}", counted(&rig, line));
    drop(silent);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_from_one_address_are_limited_if_that_is_asked_for() {
    let rig = rig(|serving| serving.max_connections_per_address = Some(3)).await;
    rig.still_accepts("nobody").await;
    let address = rig.running.addresses().http.expect("OTLP/HTTP");
    let _held = [connect(address, b"").await, connect(address, b"").await];
    let fourth = TcpStream::connect(address).await.expect("TCP accepts it");
    assert_eq!(until_closed(fourth, "one too many").await, b"");
    let line = "preamp_connections_refused_total{listener=\"http\",reason=\"max-connections-per-address\"}";
    assert_eq!(counted(&rig, line), 1);
    rig.still_accepts("one too many").await;
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http_2_has_so_many_streams() {
    let rig = rig(|serving| serving.max_concurrent_streams = 77).await;
    let addresses = rig.running.addresses();
    for address in [addresses.http, addresses.grpc].into_iter().flatten() {
        let mut socket = connect(address, GREETING).await;
        let mut frame = [0; 9];
        socket.read_exact(&mut frame).await.expect("a frame");
        assert_eq!(frame[3], 4, "settings");
        let mut settings = vec![0; usize::from(frame[2])];
        socket.read_exact(&mut settings).await.expect("settings");
        // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2).
        let streams = settings.chunks(6).find(|setting| setting[..2] == [0, 3]).expect("a limit");
        assert_eq!(streams[2..], [0, 0, 0, 77]);
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_messages_that_never_end_cannot_take_all_memory() {
    // Five of them need more than the 256 MiB there are for requests.
    const SENT: usize = 60 << 20;
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        listeners(settings).for_each(|listener| listener.max_request_bytes = 64 << 20);
    })
    .await;
    let address = rig.running.addresses().grpc.expect("OTLP/gRPC");
    let (refused, mut first_refused) = tokio::sync::mpsc::channel(5);
    let mut calls = Vec::new();
    for _ in 0..5 {
        let refused = refused.clone();
        calls.push(tokio::spawn(async move {
            let status = endless_call(address, SENT).await;
            // Nobody waits for more than the first.
            let _told = refused.send(status).await;
        }));
    }
    let status = tokio::time::timeout(PATIENCE, first_refused.recv()).await.expect("one is refused");
    let status = status.expect("it was told");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(has_retry_info(&status), "{status:?}");
    rig.still_accepts("while most room is taken").await;
    calls.iter().for_each(|call| call.abort());
    rig.finish().await;
}

/// A body of the parts that are put into a channel.
struct Parts(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// Calls with a message that is announced to be longer than what is sent of it.
async fn endless_call(address: SocketAddr, sent: usize) -> tonic::Status {
    const PART: usize = 1 << 20;
    let (parts, body) = tokio::sync::mpsc::channel::<Bytes>(4);
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).expect("a URL");
    let mut channel = channel.connect().await.expect("a connection");
    let request = http::Request::post(format!("http://{address}{METRICS_EXPORT}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(Parts(body)))
        .expect("a request");
    let sending = async {
        let length = u32::try_from(sent + 1).expect("short");
        let prefix = [&[0][..], &length.to_be_bytes()].concat();
        let mut part = Bytes::from(prefix);
        for _ in 0..=sent / PART {
            // It is not taken any more once the call is refused.
            if parts.send(part).await.is_err() {
                break;
            }
            part = Bytes::from(vec![0; PART]);
        }
        std::future::pending::<()>().await;
    };
    std::future::poll_fn(|context| GrpcService::<tonic::body::Body>::poll_ready(&mut channel, context))
        .await
        .expect("ready");
    let calling = GrpcService::call(&mut channel, request);
    tokio::select! {
        response = calling => {
            let response = response.expect("an answer");
            tonic::Status::from_header_map(response.headers()).expect("a status")
        }
        () = sending => unreachable!("it ends only with the call"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_parts_without_content_are_refused_at_once_over_both_protocols() {
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        listeners(settings).for_each(|listener| listener.max_request_bytes = 64 << 20);
    })
    .await;
    let bomb = samples::gzip(b"").repeat(1_000_000);
    let started = Instant::now();
    let (answer, ()) =
        tokio::join!(rig.http.export_packed("gzip", bomb), rig.still_accepts("a bomb of parts"));
    assert_eq!(answer.status, 400);
    assert!(answer.failure().1.contains("parts with next to nothing"), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_the_address_of_this_machine_gets_nowhere() {
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        settings.telemetry.metrics_endpoint = Some("127.0.0.1:0".to_owned());
    })
    .await;
    let addresses = rig.running.addresses();
    for (address, request) in [
        (
            addresses.http,
            "POST /v1/metrics HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n",
        ),
        (addresses.metrics, "GET /metrics HTTP/1.1\r\n"),
    ] {
        for (host, expected) in [("evil.example:4318", "403"), ("localhost:4318", "200")] {
            let request = format!("{request}host: {host}\r\nconnection: close\r\n\r\n{{}}");
            let socket = connect(address.expect("an address"), request.as_bytes()).await;
            let read = String::from_utf8_lossy(&until_closed(socket, host).await).into_owned();
            assert!(read.starts_with(&format!("HTTP/1.1 {expected} ")), "{host}: {read}");
            assert_eq!(read.contains("allowed_hosts"), expected == "403", "{read}");
        }
    }
    let line = "preamp_receiver_requests_denied_total{transport=\"http\",reason=\"host\"}";
    assert_eq!(counted(&rig, line), 1);
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_say_who_they_are_may_send() {
    use preamp_base::Secret;
    use preamp_config::{Proof, Senders, Tokens};

    let tokens = Tokens::Given(vec![Secret::new("s3cret".to_owned())]);
    let (header, scheme) = ("authorization".to_owned(), "Bearer".to_owned());
    let senders =
        Senders { extension: "bearertokenauth".to_owned(), proof: Proof::Token { header, scheme, tokens } };
    let rig = Rig::changed(Options::unsigned(), |settings, _| {
        listeners(settings).for_each(|listener| listener.senders = Some(senders.clone()));
    })
    .await;
    let send = async |token: &str| {
        let headers = [("content-type", "application/x-protobuf"), ("authorization", token)];
        rig.http.send("POST", "/v1/metrics", &headers, payloads::requests(1).into()).await
    };
    let answer = send("Bearer wrong").await;
    assert_eq!((answer.status, answer.field("www-authenticate")), (401, "Bearer realm=\"preamp\""));
    assert_eq!(answer.failure().0, Code::Unauthenticated as i32);
    assert_eq!(send("Bearer s3cret").await.status, 200);
    rig.took(1);
    let status = rig.grpc.export(payloads::requests(1)).await.expect_err("no token");
    assert_eq!((status.code(), has_retry_info(&status)), (Code::Unauthenticated, false), "{status:?}");
    assert!(RpcStatus::decode(status.details()).is_ok() && !status.message().contains("s3cret"));
    for transport in ["http", "grpc"] {
        let line = format!(
            "preamp_receiver_requests_denied_total{{transport=\"{transport}\",reason=\"unauthenticated\"}}"
        );
        assert_eq!(counted(&rig, &line), 1, "{transport}");
    }
    // The body of a stranger is not waited for.
    let address = rig.running.addresses().http.expect("OTLP/HTTP");
    let read = until_closed(connect(address, HEAD).await, "a stranger's head").await;
    assert!(read.starts_with(b"HTTP/1.1 401 "), "{}", String::from_utf8_lossy(&read));
    rig.finish().await;
}
