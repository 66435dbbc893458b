//! The URL of a Qdrant server, checked before anything is sent.

use url::{Host, Url};

use crate::store::{Fault, StoreError};

/// Qdrant's gRPC port.
const GRPC_PORT: u16 = 6334;
/// Qdrant's REST port.
pub(super) const REST_PORT: u16 = 6333;

/// A checked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether it is `https`.
    pub(super) tls: bool,
    /// The host, an IPv6 address without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The URL with its port and without anything else.
    pub(super) url: String,
}

/// Parses and checks a URL. The URL is not repeated in errors: it may hold a secret.
pub(super) fn parse(text: &str) -> Result<Address, StoreError> {
    let url = Url::parse(text.trim())
        .map_err(|error| refused(&error.to_string()).hint("write http://host:6334 or https://host:6334"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        "grpc" => {
            return Err(refused("the scheme \"grpc\" is not known").hint("write http:// instead of grpc://"));
        }
        other => {
            return Err(refused(&format!("the scheme \"{other}\" is not known"))
                .hint("write http://host:6334 or https://host:6334"));
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it holds a user name or password").hint("give the key as qdrant.api_key"));
    }
    if url.query().is_some() || url.fragment().is_some() || !matches!(url.path(), "" | "/") {
        return Err(refused("it has a path or a query, and gRPC takes neither").hint("end it after the port"));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(refused("it names no host").hint("write http://host:6334")),
    };
    // `Url` hides a port that is the scheme's own.
    let port = url.port().unwrap_or_else(|| written_default_port(text, tls).unwrap_or(GRPC_PORT));
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let scheme = url.scheme();
    Ok(Address { tls, url: format!("{scheme}://{bracketed}:{port}"), host, port })
}

fn written_default_port(text: &str, tls: bool) -> Option<u16> {
    let default = if tls { 443 } else { 80 };
    let text = text.trim().trim_end_matches('/');
    text.ends_with(&format!(":{default}")).then_some(default)
}

fn refused(why: &str) -> StoreError {
    StoreError::new(Fault::Refused, format!("the URL of Qdrant cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grpc_port_is_the_default_and_nothing_else_is_taken() {
        let cases = [
            ("http://localhost", "http://localhost:6334"),
            ("https://kb.example/", "https://kb.example:6334"),
            ("https://kb.example:443", "https://kb.example:443"),
            ("http://[::1]:7000", "http://[::1]:7000"),
        ];
        for (text, url) in cases {
            assert_eq!(parse(text).expect("an address").url, url);
        }
        for text in [
            "localhost:6334",
            "grpc://x",
            "http://u:secret@x",
            "http://x/path",
            "http://x?api_key=secret",
            "",
            "http://",
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.fault, Fault::Refused);
            assert!(!error.to_string().contains("secret"));
        }
    }
}
