//! The requests in the vectors of `sockets/conformance`, signed again by botocore: the file is not judged by its maker alone.

use anyhow::{Context as _, Result, bail, ensure};
use preamp_tests::conformance::{self, Call, Content, Expected, Key, Send};
use time::PrimitiveDateTime;

use super::Credentials;
use super::botocore::{OF_SIGNING, sign_with_botocore};
use super::random::Request;

#[test]
fn the_requests_of_the_vectors_are_signed_as_by_botocore() -> Result<()> {
    let (mut requests, mut names, mut authorizations) = (Vec::new(), Vec::new(), Vec::new());
    for vector in conformance::read()? {
        let mut key = None;
        for call in &vector.calls {
            match call {
                // A key that nobody asked for is not used, nor is one of another scope.
                Call::GiveKey { key: Some(given), .. } => key = Some(given.clone()),
                Call::Next { expect: Expected::Send(sent), .. } => {
                    let Some(authorization) = header(sent, "authorization") else { continue };
                    if !authorization.starts_with("AWS4-HMAC-SHA256 ") {
                        continue;
                    }
                    let Content::Whole { body } = &sent.content else { continue };
                    let key = key.as_ref().with_context(|| vector.name.clone())?;
                    requests.push(request(sent, key, body.0.clone()).with_context(|| vector.name.clone())?);
                    authorizations.push(authorization.to_owned());
                    names.push(vector.name.clone());
                }
                _ => {}
            }
        }
    }
    ensure!(requests.len() > 80, "only {} requests were compared", requests.len());
    for ((name, ours), theirs) in names.iter().zip(&authorizations).zip(sign_with_botocore(&requests)?) {
        assert_eq!(*ours, theirs.authorization, "{name}: {}", theirs.canonical_request);
    }
    Ok(())
}

fn header<'s>(sent: &'s Send, name: &str) -> Option<&'s str> {
    sent.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

fn request(sent: &Send, key: &Key, body: Vec<u8>) -> Result<Request> {
    let method = match &*sent.method {
        "POST" => "POST",
        "GET" => "GET",
        other => bail!("{other}"),
    };
    let (scheme, rest) = sent.url.split_once("://").context("no scheme")?;
    let (authority, rest) = rest.split_once('/').context("no path")?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let time = header(sent, "x-amz-date").context("no x-amz-date")?;
    let form = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = PrimitiveDateTime::parse(time, form)?.assume_utc().unix_timestamp();
    let headers = sent.headers.iter().filter(|(name, _)| !OF_SIGNING.contains(&name.as_str()));
    Ok(Request {
        method,
        origin: format!("{scheme}://{authority}"),
        path: format!("/{path}"),
        query: query.to_owned(),
        headers: headers.cloned().collect(),
        body,
        credentials: Credentials {
            access_key_id: key.access_key_id.clone(),
            secret: key.secret_access_key.clone(),
            token: key.session_token.clone(),
            region: key.region.clone(),
            service: key.service.clone(),
        },
        time: time.try_into()?,
    })
}
