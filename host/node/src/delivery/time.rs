//! The receiver's time: what its answers say of it, and asking for it where nothing is sent.

use super::Shared;
use bytes::Bytes;
use http::Uri;
use preamp_contract::{Header, Request, Response};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// What time it is for the receiver (RFC 9110, section 6.6.1).
pub(super) fn date(response: &Response) -> Option<SystemTime> {
    let field = response.headers.iter().find(|header| header.name == "date")?;
    httpdate::parse_http_date(&field.value).ok()
}

/// A request that any receiver answers, with its time in the field `date`.
#[must_use]
pub fn clock_probe(endpoint: &str) -> Request {
    let host = endpoint.parse::<Uri>().ok().and_then(|url| url.authority().map(ToString::to_string));
    let headers = host.map(|value| Header { name: "host".to_owned(), value });
    Request { method: "GET".into(), url: endpoint.to_owned(), headers: headers.into_iter().collect() }
}

/// Asks the receiver whenever somebody wants to know.
pub(super) async fn ask(shared: Arc<Shared>) {
    let context = &shared.context;
    loop {
        context.clock.probe_requested().await;
        let exchange = context.client.send(clock_probe(&context.endpoint), Bytes::new()).await;
        let response = exchange.response;
        match date(&response) {
            Some(time) => drop(context.clock.receiver_says(time)),
            None if response.status != 0 => context.clock.receiver_says_nothing(),
            None => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}
