//! The Signature Version 4 test suite of AWS, read from where it ships: the source of the crate
//! `aws-sigv4`.
//!
//! Of its 40 cases all are signed in headers, as remote write is; the files for signatures in the
//! query are not used. 38 cases are complete. Two have no context.json and no signature file, as
//! they came from an older suite: `double-encode-path` is compared up to the canonical request,
//! `double-url-encode` up to the string to sign.

use super::Credentials;
use anyhow::{Context, Result, ensure};
use preamp_core::sigv4::{PathRules, Signable, Signature, Timestamp};
use preamp_core::types::Instant;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The only case whose request is written percent-encoded and expected to be encoded once; the
/// others that need encoding are written raw, or expected to be encoded twice.
const ENCODED_ONCE: &str = "get-space-normalized";

#[test]
fn every_case_of_the_aws_suite_is_signed_alike() -> Result<()> {
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(suite_folder()?)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    cases.sort();
    let mut compared = [0; 4];
    for case in &cases {
        let files = check(case).with_context(|| case.display().to_string())?;
        for (count, was_compared) in compared.iter_mut().zip(files) {
            *count += usize::from(was_compared);
        }
    }
    // Canonical requests, strings to sign, signatures, Authorization fields.
    assert_eq!((cases.len(), compared), (40, [40, 39, 38, 38]));
    Ok(())
}

/// Where cargo keeps the suite.
fn suite_folder() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    // Only this platform's packages have been downloaded.
    let rustc = Command::new("rustc").arg("-vV").output()?;
    let rustc = String::from_utf8(rustc.stdout)?;
    let platform = rustc.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV")?;
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform", platform])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let package = metadata.packages.into_iter().find(|package| package.name == "aws-sigv4");
    let manifest = package.context("aws-sigv4 is no dependency")?.manifest_path;
    Ok(manifest.with_file_name("aws-signing-test-suite").join("v4"))
}

/// `context.json`.
#[derive(Deserialize)]
struct Settings {
    credentials: Secrets,
    normalize: bool,
    #[serde(default)]
    omit_session_token: bool,
    region: String,
    service: String,
    sign_body: bool,
    timestamp: String,
}

#[derive(Deserialize)]
struct Secrets {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

impl Settings {
    fn read(case: &Path) -> Result<Settings> {
        match optional(case, "context.json")? {
            Some(json) => Ok(serde_json::from_str(&json)?),
            None => Ok(Settings {
                credentials: Secrets {
                    access_key_id: "AKIDEXAMPLE".to_owned(),
                    secret_access_key: "not told".to_owned(),
                    token: None,
                },
                normalize: true,
                omit_session_token: false,
                region: "us-east-2".to_owned(),
                service: "lambda".to_owned(),
                sign_body: false,
                timestamp: "2021-05-11T15:40:45Z".to_owned(),
            }),
        }
    }
}

/// Signs one case and tells which of the four texts there were to compare.
fn check(case: &Path) -> Result<[bool; 4]> {
    let Settings { credentials, normalize, omit_session_token, region, service, sign_body, timestamp } =
        Settings::read(case)?;
    let text = optional(case, "request.txt")?.context("request.txt")?;
    let request = Request::parse(&text).context("request.txt cannot be read")?;
    let digest: [u8; 32] = Sha256::digest(request.body).into();

    let time = OffsetDateTime::parse(&timestamp, &Rfc3339)?;
    let timestamp = Timestamp::new(Instant::try_from(time.unix_timestamp_nanos())?);
    let mut headers = request.headers;
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-amz-date"));
    headers.push(("X-Amz-Date", timestamp.as_str().to_owned()));
    if let Some(token) = credentials.token.clone().filter(|_| !omit_session_token) {
        headers.push(("X-Amz-Security-Token", token));
    }
    if sign_body {
        headers.push(("x-amz-content-sha256", hex::encode(digest)));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();

    let credentials = Credentials {
        access_key_id: credentials.access_key_id,
        secret: credentials.secret_access_key,
        token: credentials.token,
        region,
        service,
    };
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let signature = Signature::new(
        &Signable { method: request.method, path, query, headers: &headers, payload_sha256: &digest },
        PathRules { double_encode: !case.ends_with(ENCODED_ONCE), normalize },
        &credentials.key(timestamp.date()),
        &timestamp,
    );

    let expected_authorization = match optional(case, "header-signature.txt")? {
        Some(_) => authorization(case)?,
        None => None,
    };
    Ok([
        same(optional(case, "header-canonical-request.txt")?, &signature.canonical_request)?,
        same(optional(case, "header-string-to-sign.txt")?, &signature.string_to_sign)?,
        same(optional(case, "header-signature.txt")?, &signature.hex)?,
        same(expected_authorization, &signature.authorization)?,
    ])
}

fn same(expected: Option<String>, actual: &str) -> Result<bool> {
    if let Some(expected) = &expected {
        ensure!(expected == actual, "expected\n{expected}\nbut made\n{actual}");
    }
    Ok(expected.is_some())
}

/// The Authorization field of the signed request.
fn authorization(case: &Path) -> Result<Option<String>> {
    let signed = optional(case, "header-signed-request.txt")?.unwrap_or_default();
    Ok(signed
        .lines()
        .find_map(|line| line.strip_prefix("Authorization:"))
        .map(|value| value.trim().to_owned()))
}

/// A file of a case, if it is there; without the line end after the last line, which not all have.
fn optional(case: &Path, file: &str) -> Result<Option<String>> {
    let path = case.join(file);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(std::fs::read_to_string(path)?.trim_end().to_owned()))
}

/// An HTTP/1.1 request as text.
struct Request<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, String)>,
    body: &'a str,
}

impl<'a> Request<'a> {
    fn parse(text: &'a str) -> Option<Request<'a>> {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let (first, fields) = head.split_once('\n')?;
        let (method, target) = first.strip_suffix(" HTTP/1.1")?.split_once(' ')?;
        let mut headers: Vec<(&str, String)> = Vec::new();
        for line in fields.lines() {
            if line.starts_with(' ') {
                let (_, value) = headers.last_mut()?;
                value.push('\n');
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(':')?;
                headers.push((name, value.to_owned()));
            }
        }
        Some(Request { method, target, headers, body })
    }
}
