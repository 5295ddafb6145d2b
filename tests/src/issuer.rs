//! What gives AWS credentials on loopback: the metadata of an instance, a container, the portal of SSO, a program. Each
//! time it gives others, which the stand-in knows from then on. STS is a real moto, whose answers pass through here so that
//! the stand-in learns of them.

use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amp_stand_in::{Session, StandIn};
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::loopback::exchange;

/// What a container must show.
pub const CONTAINER_TOKEN: &str = "TOKEN-OF-THE-CONTAINER";

/// What the portal of SSO wants to see.
pub const SSO_TOKEN: &str = "TOKEN-OF-THE-PORTAL";

/// The access key id in the first credentials that are issued; the next one ends in 2.
pub const FIRST_ID: &str = "ASIAISSUED1";

const METADATA_TOKEN: &str = "TOKEN-OF-THE-INSTANCE";
const METADATA: &str = "/latest/meta-data/iam/security-credentials/";

/// How long credentials hold.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// By what is said of them.
    pub said: Duration,
    /// In truth: the receiver refuses them from then on.
    pub real: Duration,
}

impl Life {
    /// One that is as long as is said.
    #[must_use]
    pub const fn of(said: Duration) -> Self {
        Self { said, real: said }
    }
}

/// Issues credentials. Ends when dropped.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    stand_in: Arc<StandIn>,
    life: Life,
    moto: Option<SocketAddr>,
    issued: AtomicU64,
    is_broken: AtomicBool,
    asked: Mutex<Vec<String>>,
}

/// Credentials that were just issued.
struct Issued {
    id: String,
    secret: String,
    token: String,
    ends: SystemTime,
}

impl Issuer {
    /// Starts on a port of the system's choice; with an STS, if there is one.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(stand_in: Arc<StandIn>, life: Life, moto: Option<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (issued, is_broken, asked) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { stand_in, life, moto, issued, is_broken, asked });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many credentials it issued, STS not counted.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.shared.issued.load(Ordering::Relaxed)
    }

    /// From now on it fails, or works again.
    pub fn set_broken(&self, is_broken: bool) {
        self.shared.is_broken.store(is_broken, Ordering::Relaxed);
    }

    /// What it was asked: method, path and body of each request.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(|request| shared.handle(request));
            // A client that goes away is no matter.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

impl Shared {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        let asked = format!("{} {} {text}", parts.method, parts.uri);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let answered = if self.is_broken.load(Ordering::Relaxed) {
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        } else if parts.method == Method::POST {
            self.ask_sts(&parts.headers, body).await.map_err(|error| {
                eprintln!("STS: {error:#}");
                StatusCode::BAD_GATEWAY
            })
        } else {
            self.answer(&parts.method, parts.uri.path(), &parts.headers)
        };
        let mut response = Response::new(Full::default());
        match answered {
            Ok(body) => *response.body_mut() = body.into(),
            Err(status) => *response.status_mut() = status,
        }
        // The SDK wants to be told how long the token of an instance holds.
        let ttl = http::HeaderValue::from_static("21600");
        response.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", ttl);
        Ok(response)
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<String, StatusCode> {
        let shows = |name: &str, value: &str| headers.get(name).is_some_and(|shown| shown == value);
        let has_metadata_token = shows("x-aws-ec2-metadata-token", METADATA_TOKEN);
        match (method.as_str(), path) {
            ("PUT", "/latest/api/token") if headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds") => {
                Ok(METADATA_TOKEN.to_owned())
            }
            ("GET", METADATA) if has_metadata_token => Ok("writer".to_owned()),
            ("GET", path) if path.starts_with(METADATA) && has_metadata_token => {
                let Issued { id, secret, token, ends } = self.issue();
                let (now, ends) = (rfc_3339(SystemTime::now()), rfc_3339(ends));
                Ok(format!(
                    r#"{{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "{now}", "AccessKeyId": "{id}",
                        "SecretAccessKey": "{secret}", "Token": "{token}", "Expiration": "{ends}"}}"#
                ))
            }
            ("GET", "/container") if shows("authorization", CONTAINER_TOKEN) => {
                let Issued { id, secret, token, ends } = self.issue();
                let ends = rfc_3339(ends);
                Ok(format!(
                    r#"{{"AccessKeyId": "{id}", "SecretAccessKey": "{secret}", "Token": "{token}",
                        "Expiration": "{ends}", "RoleArn": "arn:aws:iam::123456789012:role/task"}}"#
                ))
            }
            ("GET", "/federation/credentials") if shows("x-amz-sso_bearer_token", SSO_TOKEN) => {
                let Issued { id, secret, token, ends } = self.issue();
                let ends = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                Ok(format!(
                    r#"{{"roleCredentials": {{"accessKeyId": "{id}", "secretAccessKey": "{secret}",
                        "sessionToken": "{token}", "expiration": {ends}}}}}"#
                ))
            }
            ("GET", "/process") => {
                let Issued { id, secret, token, ends } = self.issue();
                let ends = rfc_3339(ends);
                Ok(format!(
                    r#"{{"Version": 1, "AccessKeyId": "{id}", "SecretAccessKey": "{secret}",
                        "SessionToken": "{token}", "Expiration": "{ends}"}}"#
                ))
            }
            (_, "/container" | "/federation/credentials") => Err(StatusCode::UNAUTHORIZED),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn issue(&self) -> Issued {
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        let now = SystemTime::now();
        let issued = Issued {
            id: format!("ASIAISSUED{number}"),
            secret: format!("secret-of-the-issuer-{number:019}"),
            token: format!("TOKEN-OF-THE-ISSUER-{number}"),
            ends: now + self.life.said,
        };
        let known = self.stand_in.know(Session {
            access_key_id: issued.id.clone(),
            secret_access_key: issued.secret.clone(),
            session_token: Some(issued.token.clone()),
            expires: Some(now + self.life.real),
        });
        // The secret is as long as those of AWS.
        known.unwrap_or_else(|error| unreachable!("{error}"));
        issued
    }

    /// Lets STS answer, and the stand-in know whom it let in.
    async fn ask_sts(&self, headers: &HeaderMap, body: Bytes) -> anyhow::Result<String> {
        let moto = self.moto.context("there is no STS")?;
        let passed_on: Vec<_> = ["authorization", "content-type", "x-amz-security-token", "x-amz-date"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned())))
            .collect();
        // The endpoint was changed to this one, so only the signature tells which region was asked.
        let scope = headers.get("authorization").and_then(|value| value.to_str().ok());
        let region = scope.and_then(|scope| scope.split('/').nth(2)).unwrap_or("us-east-1");
        let host = format!("sts.{region}.amazonaws.com");
        let asked = tokio::task::spawn_blocking(move || {
            let mut headers: Vec<_> = passed_on.iter().map(|(name, value)| (&**name, &**value)).collect();
            headers.push(("host", &host));
            exchange(moto, "POST", "/", &headers, &body)
        });
        let answer = asked.await?.context("moto did not answer")?.body;
        if let (Some(id), Some(secret)) =
            (between(&answer, "AccessKeyId"), between(&answer, "SecretAccessKey"))
        {
            self.stand_in.know(Session {
                access_key_id: id.to_owned(),
                secret_access_key: secret.to_owned(),
                session_token: between(&answer, "SessionToken").map(str::to_owned),
                expires: None,
            })?;
        }
        Ok(answer)
    }
}

/// The text of the first element of this name.
#[must_use]
pub fn between<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

fn rfc_3339(time: SystemTime) -> String {
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

/// A source of credentials, and the environment that leads to it.
pub type Source = (&'static str, Vec<(&'static str, String)>);

/// The sources whose credentials end; what they need is put into a folder.
///
/// # Errors
/// When that cannot be written.
pub fn sources(issuer: &Issuer, folder: &Path) -> anyhow::Result<Vec<Source>> {
    let token = file(folder, "container-token", CONTAINER_TOKEN)?;
    let process = format!("[default]\ncredential_process = curl -sf {}\n", issuer.url("/process"));
    let process = file(folder, "process", &process)?;
    let sso = "[default]\nsso_session = portal\nsso_account_id = 123456789012\nsso_role_name = writer\n\
               [sso-session portal]\nsso_region = eu-central-1\nsso_start_url = https://portal.example\n";
    let sso = file(folder, "sso", sso)?;
    // The name of the file is the SHA-1 of the name of the session.
    let cached = format!(r#"{{"accessToken": "{SSO_TOKEN}", "expiresAt": "2099-01-01T00:00:00Z"}}"#);
    file(folder, "home/.aws/sso/cache/23f3fd77a464cbe250150f60d785f08978d07e40.json", &cached)?;
    let home = folder.join("home").display().to_string();
    Ok(vec![
        (
            "instance",
            vec![
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", issuer.url("")),
                ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
            ],
        ),
        (
            "container",
            vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", issuer.url("/container")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
            ],
        ),
        ("process", vec![("AWS_CONFIG_FILE", process)]),
        ("SSO", vec![("AWS_CONFIG_FILE", sso), ("HOME", home), ("AWS_ENDPOINT_URL_SSO", issuer.url(""))]),
    ])
}

/// A file in a folder, and its path as text.
///
/// # Errors
/// When it cannot be written.
pub fn file(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}
