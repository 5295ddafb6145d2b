//! The receiver's URL, taken apart once.

/// An absolute http or https URL (RFC 3986) as it goes on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL as configured.
    pub url: String,
    /// The Host field: name or address, with the port unless it is the scheme's own.
    pub host: String,
    /// The path, at least `/`, percent-encoded as sent.
    pub path: String,
    /// What stands after `?`, percent-encoded as sent; empty if there is none.
    pub query: String,
}

impl Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong and what is expected.
    pub fn parse(url: &str) -> Result<Endpoint, String> {
        let (default_port, rest) = if let Some(rest) = url.strip_prefix("https://") {
            (":443", rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (":80", rest)
        } else {
            return Err("must start with https:// or http://".to_owned());
        };
        if let Some(bad) = rest.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
            return Err(format!("holds the character {bad:?}, which must be percent-encoded"));
        }
        if rest.contains('#') {
            return Err("must not have a fragment (#)".to_owned());
        }
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_end);
        if authority.contains('@') {
            return Err("must not hold a user name or password".to_owned());
        }
        check_authority(authority)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Endpoint {
            url: url.to_owned(),
            host: authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.to_owned(),
        })
    }

    /// Whether the host is one of AMP's: a label `aps-workspaces` or `aps-workspaces-fips` in it
    /// (AMP user guide, "Supported Regions"; also true for VPC endpoints).
    pub fn is_aps(&self) -> bool {
        self.host.split('.').any(|label| label == "aps-workspaces" || label == "aps-workspaces-fips")
    }

    /// The name or address in the Host field, without the port.
    pub fn host_name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => &self.host,
        }
    }

    /// A part of the path that AWS normalises before it checks the signature, so that what is
    /// signed would differ from what is sent.
    pub fn unsignable_part(&self) -> Option<&'static str> {
        let mut segments = self.path[1..].split('/').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "" if segments.peek().is_some() => return Some("//"),
                "." => return Some("."),
                ".." => return Some(".."),
                _ => {}
            }
        }
        None
    }
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (authority, None),
    };
    if name.is_empty() {
        return Err("has no host".to_owned());
    }
    if let Some(port) = port
        && port.parse::<u16>().is_err()
    {
        return Err(format!("has {port:?} where a port number from 0 to 65535 is expected"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        let endpoint = Endpoint::parse("https://Example.com:443/a/b?x=1").unwrap();
        assert_eq!(endpoint.host, "example.com");
        assert_eq!((endpoint.path.as_str(), endpoint.query.as_str()), ("/a/b", "x=1"));
        assert_eq!(Endpoint::parse("http://[::1]:9090").unwrap().host, "[::1]:9090");
        assert_eq!(Endpoint::parse("http://h").unwrap().path, "/");
        assert_eq!(Endpoint::parse("http://h:80/").unwrap().host, "h");
    }

    #[test]
    fn says_what_is_wrong() {
        for (url, word) in [
            ("h/p", "https://"),
            ("http:///p", "no host"),
            ("http://u:p@h/", "password"),
            ("http://h:99999/", "port"),
            ("http://h/#f", "fragment"),
            ("http://h/a b", "percent-encoded"),
            ("http://h/é", "percent-encoded"),
        ] {
            let message = Endpoint::parse(url).unwrap_err();
            assert!(message.contains(word), "{url}: {message}");
        }
    }

    #[test]
    fn recognises_amp_hosts() {
        let is_aps = |host: &str| Endpoint::parse(&format!("https://{host}/")).unwrap().is_aps();
        assert!(is_aps("aps-workspaces.eu-west-1.amazonaws.com"));
        assert!(is_aps("aps-workspaces-fips.us-east-1.api.aws"));
        assert!(is_aps("vpce-1.aps-workspaces.eu-west-1.vpce.amazonaws.com"));
        assert!(!is_aps("aps-workspaces-evil.example.com"));
    }
}
