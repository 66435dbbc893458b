//! What listens where Qdrant should be, told apart by what a preflight says; the other store is probed all the same.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::world::{World, config};

#[test(postgres)]
fn what_is_wrong_with_the_way_to_qdrant_is_told_apart() {
    let world = World::start();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let rest = serving(|stream| answer_once(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let tls = serving(|stream| answer_once(stream, &[0x15, 3, 3, 0, 2, 2, 40]));
    let keyed = serving(unauthenticated);
    let cases = [
        (format!("http://{closed}"), "connection refused", "start Qdrant there, or check the port"),
        (
            "http://no-such-host.invalid:6334".to_owned(),
            "the host name is not known",
            "check the spelling of qdrant.url",
        ),
        (format!("http://{rest}"), "this port speaks HTTP/1.1, not gRPC", "use Qdrant's gRPC port, usually 6334"),
        (format!("http://{tls}"), "this port speaks TLS", "write https:// instead of http://"),
        (world.qdrant().replace("http:", "https:"), "this port does not speak it", "write http:// instead of https://"),
        (format!("http://{keyed}"), "the server asks for an API key, and none is given", "set qdrant.api_key"),
    ];
    for (url, what, change) in cases {
        world.write("enact.yaml", &config(&world.conninfo(), &url));
        let (table, _) = world.exits(&["preflight"], 1);
        assert!(table.contains(what) && table.contains(&format!("change: {change}")), "{url}\n{table}");
        assert!(table.contains("ok       database kb") || table.contains("ok      database kb"), "{url}\n{table}");
        assert_eq!(table.matches("FAILED").count(), 1, "{url}\n{table}");
    }
}

/// A server that treats each connection in this way.
fn serving(treat: fn(&mut TcpStream) -> std::io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || stream.and_then(|mut stream| treat(&mut stream)));
        }
    });
    address
}

fn answer_once(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let _read = stream.read(&mut [0; 1024])?;
    stream.write_all(bytes)
}

/// Speaks enough HTTP/2 (RFC 9113) to refuse every call with gRPC status 16.
fn unauthenticated(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        match (head[3], head[4]) {
            (4, 0) => stream.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0])?,
            (1, _) => {
                // :status 200, then two literals without indexing (RFC 7541 section 6.2.2).
                let mut block = vec![0x88, 0x0f, 0x10, 16];
                block.extend(b"application/grpc");
                block.extend([0, 11]);
                block.extend(b"grpc-status");
                block.extend([2]);
                block.extend(b"16");
                let mut frame = vec![0, 0, block.len() as u8, 1, 5];
                frame.extend(&head[5..9]);
                frame.extend(block);
                stream.write_all(&frame)?;
            }
            _ => {}
        }
    }
}
