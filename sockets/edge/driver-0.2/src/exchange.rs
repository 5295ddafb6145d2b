//! One request to the receiver, and its answer.

use crate::request::write;
use preamp_edge_gateway::{ANSWER_BYTES, Request, Response, TIMEOUT_NS, Target, header};
use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};

/// Sends a request, and returns the answer, or why there is none.
pub fn send(head: &Request, body: &[u8]) -> Result<Response, String> {
    let headers = Fields::new();
    for (name, value) in head.fields(body) {
        headers.append(&name, &value).map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let target = Target::of(head)?;
    let method = match &*head.method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if target.is_tls { Scheme::Https } else { Scheme::Http };
    let refused = |what: &str| format!("{what} of {} cannot be sent", head.url);
    request.set_method(&method).map_err(|()| refused("the method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("the scheme"))?;
    request.set_authority(Some(target.authority)).map_err(|()| refused("the authority"))?;
    request.set_path_with_query(Some(target.path_with_query)).map_err(|()| refused("the path"))?;
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
    let headers = fields.into_iter().filter_map(|(name, value)| header(&name, value)).collect();
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
