//! The request of a sender.

use std::future::Future;

/// The path of OTLP/HTTP for metrics (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/metrics";

/// What the head of a request says.
pub struct Head {
    pub path_with_query: String,
    pub is_post: bool,
    pub content_type: String,
    pub content_encoding: String,
}

impl Head {
    /// `field` gives the values of a header field.
    pub fn new(
        path_with_query: Option<String>,
        is_post: bool,
        field: impl Fn(String) -> Vec<Vec<u8>>,
    ) -> Self {
        let field = |name: &str| {
            let value = field(name.to_owned()).into_iter().next().unwrap_or_default();
            String::from_utf8(value).unwrap_or_else(|_| "?".to_owned())
        };
        Head {
            path_with_query: path_with_query.unwrap_or_default(),
            is_post,
            content_type: field("content-type"),
            content_encoding: field("content-encoding"),
        }
    }
}

/// The body of a request.
pub trait Body {
    /// The next part; none after the last one. Fails if the body ended before its end.
    fn part(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, String>>;
}

/// Reads a payload. What is none of metrics, or larger than the limit, is answered with the status and text that are
/// returned as an error.
pub(crate) async fn receive(head: &Head, mut body: impl Body, limit: u64) -> Result<Vec<u8>, (u16, String)> {
    if head.path_with_query.split('?').next() != Some(PATH) {
        return Err((404, format!("only metrics are taken here: POST them to {PATH}")));
    }
    if !head.is_post {
        return Err((405, format!("{PATH} takes POST requests")));
    }
    let mut payload = Vec::new();
    loop {
        match body.part().await {
            Ok(Some(part)) => payload.extend_from_slice(&part),
            Ok(None) => return Ok(payload),
            Err(error) => return Err((400, format!("the request ended before its body did: {error}"))),
        }
        if payload.len() as u64 > limit {
            return Err((413, format!("more than {limit} bytes: send fewer data points in one request")));
        }
    }
}
