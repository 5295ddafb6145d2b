//! One request to the receiver, and its answer.

use crate::request::{Incoming, outgoing, trailers};
use preamp_edge_gateway::{ANSWER_BYTES, Body as _, Request, Response, TIMEOUT_NS, Target, header};
use wasip3::http::client;
use wasip3::http::types::{self, Fields, Method, RequestOptions, Scheme};

/// Sends a request, and returns the answer, or why there is none.
pub async fn send(head: &Request, body: Vec<u8>) -> Result<Response, String> {
    let fields: Vec<_> = head.fields(&body).collect();
    let headers = Fields::from_list(&fields).map_err(|error| format!("header fields: {error:?}"))?;
    let target = Target::of(head)?;
    let method = match &*head.method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if target.is_tls { Scheme::Https } else { Scheme::Http };
    let options = RequestOptions::new();
    let _is_supported = options.set_connect_timeout(Some(TIMEOUT_NS));
    let _is_supported = options.set_first_byte_timeout(Some(TIMEOUT_NS));
    let _is_supported = options.set_between_bytes_timeout(Some(TIMEOUT_NS));
    let (request, _transmitted) = types::Request::new(headers, outgoing(body), trailers(), Some(options));
    let refused = |what: &str| format!("{what} of {} cannot be sent", head.url);
    request.set_method(&method).map_err(|()| refused("the method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("the scheme"))?;
    request.set_authority(Some(target.authority)).map_err(|()| refused("the authority"))?;
    request.set_path_with_query(Some(target.path_with_query)).map_err(|()| refused("the path"))?;
    let answer = client::send(request).await.map_err(|error| format!("{error:?}"))?;
    Ok(read(answer).await)
}

async fn read(answer: types::Response) -> Response {
    let status = answer.get_status_code();
    let fields = answer.get_headers().copy_all();
    let headers = fields.into_iter().filter_map(|(name, value)| header(&name, value)).collect();
    let mut incoming = Incoming::of_response(answer);
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES
        && let Ok(Some(part)) = incoming.part().await
    {
        body.extend_from_slice(&part);
    }
    body.truncate(ANSWER_BYTES);
    Response { status, headers, body }
}
