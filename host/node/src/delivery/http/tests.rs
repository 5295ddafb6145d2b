mod https;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{BODY_LIMIT, Exchange, HttpClient, under_host};
use preamp_config::{ClientSettings, ClientTls, Pem};
use preamp_contract::{Header, Request, Response};
use preamp_deliver::Arrival;

const TIMEOUT: Duration = Duration::from_millis(500);

/// Answers each request of each connection with `answer`, and returns the requests as they came.
async fn server(answer: Vec<u8>) -> (String, tokio::sync::mpsc::UnboundedReceiver<(usize, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/write", listener.local_addr().expect("bound"));
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for connection in 1.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let (seen, answer) = (seen.clone(), answer.clone());
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut stream).await {
                    let _ = seen.send((connection, request));
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.write_all(&answer).await;
                    if !answer.windows(4).any(|part| part == b"\r\n\r\n") {
                        return;
                    }
                }
            });
        }
    });
    (url, requests)
}

/// Reads up to the end of the body, which the tests let end in a full stop.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    while request.last() != Some(&b'.') {
        let mut piece = [0; 512];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
    }
    Some(request)
}

fn settings(tls: ClientTls) -> ClientSettings {
    ClientSettings { tls, ..ClientSettings::new(TIMEOUT) }
}

async fn post(url: &str, headers: &[(&str, &str)]) -> Response {
    let client = HttpClient::new(&settings(ClientTls::default())).expect("no files are read");
    post_with(&client, url, headers).await
}

async fn post_with(client: &HttpClient, url: &str, headers: &[(&str, &str)]) -> Response {
    exchange(client, url, headers).await.response
}

async fn exchange(client: &HttpClient, url: &str, headers: &[(&str, &str)]) -> Exchange {
    let headers = headers.iter().map(|(name, value)| Header { name: (*name).into(), value: (*value).into() });
    let head = Request { method: "POST".into(), url: url.into(), headers: headers.collect() };
    client.send(head, Bytes::from_static(b"body.")).await
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[tokio::test]
async fn head_and_body_go_out_as_given_and_the_answer_comes_back() {
    let (url, mut requests) = server(
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nx-amzn-RequestId: r-1\r\nServer: s\r\ncontent-length: 4\r\n\r\nslow".to_vec(),
    )
    .await;
    let response = post(&url, &[("host", "signed.example"), ("x-amz-date", "20260115T235930Z")]).await;
    assert_eq!((response.status, text(&response).as_str()), (429, "slow"));
    let headers: Vec<_> =
        response.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
    assert_eq!(headers, [("retry-after", "7"), ("x-amzn-requestid", "r-1")]);

    let (_, request) = requests.recv().await.expect("a request came");
    let request = String::from_utf8(request).expect("text");
    assert!(request.starts_with("POST /write HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nhost: signed.example\r\n"), "{request}");
    assert_eq!(request.matches("host:").count(), 1, "{request}");
    assert!(request.contains("\r\ncontent-length: 5\r\n") && request.ends_with("\r\n\r\nbody."), "{request}");
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let (url, mut requests) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let client = HttpClient::new(&settings(ClientTls::default())).expect("no files are read");
    for _ in 0..3 {
        assert_eq!(post_with(&client, &url, &[]).await.status, 200);
        assert_eq!(requests.recv().await.expect("a request came").0, 1, "a new connection was opened");
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_to_what_is_judged() {
    let mut answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 100_000, b'x');
    let (url, _requests) = server(answer).await;
    let response = post(&url, &[]).await;
    assert_eq!((response.status, response.body.len()), (400, BODY_LIMIT));
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_its_status() {
    let (url, _requests) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()).await;
    let response = post(&url, &[]).await;
    assert_eq!((response.status, text(&response).as_str()), (200, "half"));
}

#[tokio::test]
async fn no_answer_says_why() {
    let (silent, _requests) = server(Vec::new()).await;
    let response = post(&silent, &[]).await;
    assert_eq!((response.status, text(&response).as_str()), (0, "no answer within 500 ms"));

    let (garbled, _requests) = server(b"not http".to_vec()).await;
    let response = post(&garbled, &[]).await;
    assert_eq!(response.status, 0, "{}", text(&response));

    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let response = post(&format!("http://{closed}/"), &[]).await;
    assert_eq!(response.status, 0);
    assert!(text(&response).contains("refused"), "{}", text(&response));
}

/// A repeat is looked out for only where the request before it can have arrived.
#[tokio::test]
async fn a_connection_that_is_refused_is_told_from_one_that_breaks() {
    let client = HttpClient::new(&settings(ClientTls::default())).expect("no files are read");
    let (answers, _requests) = server(b"HTTP/1.1 503 Slow\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (refuses, _requests) = server(b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (silent, _requests) = server(Vec::new()).await;
    let (garbled, _requests) = server(b"not http".to_vec()).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    for (url, arrival) in [
        (answers, Arrival::Possible),
        (refuses, Arrival::Settled),
        (silent, Arrival::Possible),
        (garbled, Arrival::Possible),
        (format!("http://{closed}/"), Arrival::Settled),
        ("http://no-such-host.invalid/".to_owned(), Arrival::Settled),
    ] {
        assert_eq!(exchange(&client, &url, &[]).await.arrival, arrival, "{url}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named_without_its_value() {
    let response = post("http://127.0.0.1:1/", &[("authorization", "hush\n")]).await;
    assert_eq!(response.status, 0);
    assert!(text(&response).contains("header authorization"), "{}", text(&response));
    assert!(!text(&response).contains("hush"), "{}", text(&response));
}

#[test]
fn the_authority_is_written_as_the_signed_host() {
    for (url, host, sent) in [
        ("https://Example.com:443/a", "example.com", "https://example.com/a"),
        ("http://h:80/a?b", "h", "http://h/a?b"),
        ("http://h:8080/a", "h:8080", "http://h:8080/a"),
        ("https://127.0.0.1:8443/a", "example.com", "https://127.0.0.1:8443/a"),
    ] {
        let uri: Uri = url.parse().expect("a URL");
        assert_eq!(under_host(uri, &HeaderValue::from_static(host)), *sent, "{url} as {host}");
    }
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_with_its_name() {
    let file = tempfile::NamedTempFile::new().expect("a writable directory");
    std::fs::write(file.path(), "nothing here").expect("written");
    let tls = ClientTls { ca: Some(Pem::File(file.path().to_owned())), ..ClientTls::default() };
    let error = HttpClient::new(&settings(tls)).expect_err("no certificate").to_string();
    let name = file.path().display().to_string();
    assert!(error.contains(&name) && error.contains("no certificate in it"), "{error}");
}
