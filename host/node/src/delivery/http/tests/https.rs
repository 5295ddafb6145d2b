//! Against a server that speaks TLS with a certificate no system trusts: `openssl req -x509` for
//! 127.0.0.1, valid until 2126. Its key guards nothing.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{HttpClient, post_with, settings, text};
use preamp_config::{ClientTls, Pem};

const CERTIFICATE: &str = include_str!("certificate/certificate.pem");
const KEY: &str = include_str!("certificate/key.pem");

/// Says in its answers what it was asked. Offers the application protocols given.
async fn server(protocols: &[&str]) -> String {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/write", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let connection = auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                let _ended = connection.serve_connection(TokioIo::new(stream), service_fn(describe)).await;
            });
        }
    });
    url
}

async fn describe(request: hyper::Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (version, authority) = (request.version(), request.uri().authority().cloned());
    let host = request.headers().get("host").cloned();
    let body = request.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let said = format!("{version:?} authority={authority:?} host={host:?} body={body:?}");
    Ok(hyper::Response::new(Full::new(Bytes::from(said))))
}

/// The settings that trust the certificate of [`server`].
fn trusting() -> (tempfile::NamedTempFile, ClientTls) {
    let file = tempfile::NamedTempFile::new().expect("a writable directory");
    std::fs::write(file.path(), CERTIFICATE).expect("written");
    let tls = ClientTls { ca: Some(Pem::File(file.path().to_owned())), ..ClientTls::default() };
    (file, tls)
}

#[tokio::test]
async fn http_2_is_spoken_with_those_who_offer_it_and_carries_the_signed_host() {
    let url = server(&["h2", "http/1.1"]).await;
    let host = url.split('/').nth(2).expect("an authority").to_owned();
    let (_file, tls) = trusting();
    let client = HttpClient::new(&settings(tls)).expect("a certificate is in the file");
    let response = post_with(&client, &url, &[("host", &host)]).await;
    let said = text(&response);
    assert_eq!(response.status, 200, "{said}");
    assert_eq!(said, format!(r#"HTTP/2.0 authority=Some({host}) host=Some("{host}") body=b"body.""#));
}

#[tokio::test]
async fn http_1_is_spoken_with_everyone_else() {
    let url = server(&[]).await;
    let (_file, tls) = trusting();
    let client = HttpClient::new(&settings(tls)).expect("a certificate is in the file");
    let said = text(&post_with(&client, &url, &[("host", "signed.example")]).await);
    assert_eq!(said, r#"HTTP/1.1 authority=None host=Some("signed.example") body=b"body.""#);
}

#[tokio::test]
async fn an_unknown_authority_is_refused_unless_nothing_is_to_be_verified() {
    let url = server(&["h2", "http/1.1"]).await;
    let client = HttpClient::new(&settings(ClientTls::default())).expect("no files are read");
    let response = post_with(&client, &url, &[]).await;
    assert_eq!(response.status, 0);
    assert!(text(&response).contains("UnknownIssuer"), "{}", text(&response));

    let careless = ClientTls { insecure_skip_verify: true, ..ClientTls::default() };
    let client = HttpClient::new(&settings(careless)).expect("no files are read");
    assert_eq!(post_with(&client, &url, &[]).await.status, 200);
}
