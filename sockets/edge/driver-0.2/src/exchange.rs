//! One request to the receiver, and its answer.

use crate::request::write;
use crate::{Header, Response};
use crate::preamp::exporter::remote_write::Request;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};

/// How long the receiver may take for each step of an answer, in nanoseconds.
const TIMEOUT_NS: u64 = 5_000_000_000;

/// How much of the body of an answer is looked at, in bytes.
const ANSWER_BYTES: usize = 1 << 10;

/// Sends a request, and returns the answer, or why there is none.
pub fn send(head: &Request, body: &[u8]) -> Result<Response, String> {
    let headers = Fields::new();
    for Header { name, value } in &head.headers {
        // The runtime makes this field of the authority, and takes it from nobody else.
        if name != "host" {
            headers.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error:?}"))?;
        }
    }
    let length = body.len().to_string();
    let _is_set = headers.append("content-length", length.as_bytes());
    let request = OutgoingRequest::new(headers);
    let (scheme, authority, path) = split(&head.url).ok_or_else(|| format!("{} is no URL", head.url))?;
    let method = match &*head.method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let refused = |what: &str| format!("{what} of {} cannot be sent", head.url);
    request.set_method(&method).map_err(|()| refused("the method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("the scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| refused("the authority"))?;
    request.set_path_with_query(Some(path)).map_err(|()| refused("the path"))?;
    let outgoing = request.body().map_err(|()| refused("the body"))?;
    let options = RequestOptions::new();
    let _is_supported = options.set_connect_timeout(Some(TIMEOUT_NS));
    let _is_supported = options.set_first_byte_timeout(Some(TIMEOUT_NS));
    let _is_supported = options.set_between_bytes_timeout(Some(TIMEOUT_NS));
    let pending = outgoing_handler::handle(request, Some(options)).map_err(|error| format!("{error:?}"))?;
    // A receiver that answers early may not read all of it.
    let _is_written = write(&outgoing, body);
    OutgoingBody::finish(outgoing, None).map_err(|error| format!("{error:?}"))?;
    pending.subscribe().block();
    let answer = pending.get().ok_or("no answer")?.map_err(|()| "the answer was taken before")?;
    answer.map(|answer| read(&answer)).map_err(|error| format!("{error:?}"))
}

fn read(answer: &IncomingResponse) -> Response {
    let fields = answer.headers().entries();
    let headers = fields.into_iter().filter_map(|(name, value)| {
        Some(Header { name: name.to_ascii_lowercase(), value: String::from_utf8(value).ok()? })
    });
    let headers = headers.collect();
    let mut body = Vec::new();
    if let Ok(incoming) = answer.consume()
        && let Ok(stream) = incoming.stream()
    {
        while body.len() < ANSWER_BYTES
            && let Ok(part) = stream.blocking_read((ANSWER_BYTES - body.len()) as u64)
        {
            body.extend_from_slice(&part);
        }
    }
    Response { status: answer.status(), headers, body }
}

/// Scheme, authority and path of a URL.
fn split(url: &str) -> Option<(Scheme, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Some((scheme, authority, if path.is_empty() { "/" } else { path }))
}
