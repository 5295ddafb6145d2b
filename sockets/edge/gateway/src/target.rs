//! Where a request to the receiver goes.

use crate::Request;

/// A URL in the parts that `wasi:http` wants.
pub struct Target<'u> {
    pub is_tls: bool,
    pub authority: &'u str,
    pub path_with_query: &'u str,
}

impl<'u> Target<'u> {
    /// The target of a request; or what is wrong with it.
    pub fn of(request: &'u Request) -> Result<Self, String> {
        let wrong = || format!("{} is no URL", request.url);
        let (scheme, rest) = request.url.split_once("://").ok_or_else(wrong)?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path_with_query = if path.is_empty() { "/" } else { path };
        Ok(Target { is_tls, authority, path_with_query })
    }
}

impl Request {
    /// The header fields to be sent, with the length of the body.
    pub fn fields(&self, body: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
        // The runtime makes `host` of the authority, and takes it from nobody else.
        let headers = self.headers.iter().filter(|header| header.name != "host");
        let fields = headers.map(|header| (header.name.clone(), header.value.clone().into_bytes()));
        fields.chain([("content-length".to_owned(), body.len().to_string().into_bytes())])
    }
}
