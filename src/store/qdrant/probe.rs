//! Why a connection could not be made, found out by looking: the name, the port, and what speaks there.
//!
//! gRPC says "transport error" to all of it. The probe connects once more, by TCP, and sends one HTTP/1.1 request; it
//! never sends the key.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::address::{Address, REST_PORT};
use crate::store::{Fault, StoreError};

const LIMIT: Duration = Duration::from_secs(5);

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Speaks {
    UnknownName,
    Refused,
    Unreachable(String),
    Silent,
    /// HTTP/1.1 in the clear.
    Http1,
    /// HTTP/2 in the clear.
    Http2,
    Tls,
    Something,
}

/// Gives an error the words for what was found.
pub(super) async fn explain(address: &Address, keyed: bool, error: StoreError) -> StoreError {
    if matches!(error.code.as_deref(), Some("Unauthenticated" | "PermissionDenied")) {
        return unauthorised(address, keyed, &error);
    }
    if error.fault != Fault::Transient {
        return error;
    }
    let speaks = tokio::time::timeout(LIMIT, listen(address)).await.unwrap_or(Speaks::Silent);
    words(address, &speaks, error)
}

fn unauthorised(address: &Address, keyed: bool, error: &StoreError) -> StoreError {
    let (what, hint) = if keyed {
        ("the API key is not accepted", "check qdrant.api_key")
    } else {
        ("the server asks for an API key, and none is given", "set qdrant.api_key")
    };
    let mut result = failed(Fault::Refused, address, what).hint(hint);
    result.code = error.code.clone();
    result
}

async fn listen(address: &Address) -> Speaks {
    let Ok(found) = tokio::net::lookup_host((address.host.as_str(), address.port)).await else {
        return Speaks::UnknownName;
    };
    let found: Vec<_> = found.collect();
    let mut stream = match TcpStream::connect(&*found).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Speaks::Refused,
        Err(error) => return Speaks::Unreachable(error.to_string()),
    };
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.host);
    if let Err(error) = stream.write_all(request.as_bytes()).await {
        return Speaks::Unreachable(error.to_string());
    }
    let mut reply = [0u8; 64];
    match stream.read(&mut reply).await {
        // A TLS server hangs up on what is no handshake, with or without an alert.
        Ok(0) => Speaks::Something,
        Ok(read) => recognise(&reply[..read]),
        Err(error) => Speaks::Unreachable(error.to_string()),
    }
}

fn recognise(reply: &[u8]) -> Speaks {
    match reply {
        [0x15, 3, ..] => Speaks::Tls,
        // nginx and others answer a clear request on their TLS port in the clear, with 400.
        _ if reply.starts_with(b"HTTP/1.1 400") || reply.starts_with(b"HTTP/1.0 400") => Speaks::Something,
        _ if reply.starts_with(b"HTTP/1.") => Speaks::Http1,
        // A SETTINGS or GOAWAY frame: a length of three bytes, then the type.
        [0, 0, _, 4 | 7, ..] => Speaks::Http2,
        _ => Speaks::Something,
    }
}

fn words(address: &Address, speaks: &Speaks, error: StoreError) -> StoreError {
    match speaks {
        Speaks::UnknownName => {
            failed(Fault::Transient, address, "the host name is not known").hint("check the spelling of qdrant.url")
        }
        Speaks::Refused => {
            failed(Fault::Transient, address, "connection refused").hint("start Qdrant there, or check the port")
        }
        Speaks::Unreachable(why) => failed(Fault::Transient, address, why),
        Speaks::Silent => {
            failed(Fault::Transient, address, "no answer").hint("check that a firewall lets this machine through")
        }
        Speaks::Http1 => {
            failed(Fault::Refused, address, "this port speaks HTTP/1.1, not gRPC").hint(rest_hint(address))
        }
        Speaks::Http2 if address.tls => {
            failed(Fault::Refused, address, "TLS was tried, and this port does not speak it")
                .hint("write http:// instead of https://")
        }
        Speaks::Tls if !address.tls => {
            failed(Fault::Refused, address, "this port speaks TLS").hint("write https:// instead of http://")
        }
        Speaks::Tls => failed(Fault::Refused, address, &format!("the TLS handshake failed ({error})"))
            .hint("give the authority that signed the server's certificate as qdrant.ca, and check the host name"),
        Speaks::Something if address.tls => {
            failed(Fault::Transient, address, &format!("the TLS handshake failed ({error})")).hint(
                "check that this port speaks TLS, and give the authority that signed its certificate as qdrant.ca",
            )
        }
        Speaks::Something if address.port == REST_PORT => {
            failed(Fault::Transient, address, "what listens there does not speak gRPC").hint(rest_hint(address))
        }
        Speaks::Something | Speaks::Http2 => {
            StoreError { message: format!("cannot connect to Qdrant at \"{}\": {error}", address.url), ..error }
        }
    }
}

fn rest_hint(address: &Address) -> String {
    if address.port == REST_PORT {
        "6333 is Qdrant's REST port; use its gRPC port, 6334".to_owned()
    } else {
        "use Qdrant's gRPC port, usually 6334".to_owned()
    }
}

fn failed(fault: Fault, address: &Address, what: &str) -> StoreError {
    StoreError::new(fault, format!("cannot connect to Qdrant at \"{}\": {what}", address.url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::qdrant::address;

    #[test]
    fn each_cause_has_words_of_its_own() {
        let http = address::parse("http://kb:6333").expect("an address");
        let https = address::parse("https://kb").expect("an address");
        let error = || StoreError::new(Fault::Transient, "transport error");
        let cases = [
            (&http, Speaks::UnknownName, Fault::Transient, "check the spelling of qdrant.url"),
            (&http, Speaks::Refused, Fault::Transient, "start Qdrant there, or check the port"),
            (&http, Speaks::Http1, Fault::Refused, "6333 is Qdrant's REST port; use its gRPC port, 6334"),
            (&http, Speaks::Tls, Fault::Refused, "write https:// instead of http://"),
            (&https, Speaks::Http2, Fault::Refused, "write http:// instead of https://"),
        ];
        for (address, speaks, fault, hint) in cases {
            let found = words(address, &speaks, error());
            assert_eq!((found.fault, found.hint.as_deref()), (fault, Some(hint)), "{speaks:?}");
        }
    }

    #[test]
    fn replies_are_recognised_by_their_first_bytes() {
        assert_eq!(recognise(b"HTTP/1.1 200 OK\r\n"), Speaks::Http1);
        assert_eq!(recognise(&[0x15, 3, 1, 0, 2]), Speaks::Tls);
        assert_eq!(recognise(&[0, 0, 6, 4, 0, 0, 0, 0, 0]), Speaks::Http2);
        assert_eq!(recognise(b"SSH-2.0"), Speaks::Something);
    }
}
