//! The first bytes of a PostgreSQL connection (protocol 3.0, "Start-up Phase" and "Message Formats" of its manual).
//!
//! Only what the doorkeeper of the embedded server needs: what kind of packet opened the connection, and a session that
//! says hello and goodbye. Everything after the start-up is passed through unread.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The same limit as PostgreSQL's own (`MAX_STARTUP_PACKET_LENGTH`).
const STARTUP_LIMIT: u32 = 10_000;
const MESSAGE_LIMIT: u32 = 1 << 20;
const PROTOCOL_3_0: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// What a client opened its connection with.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// A session; the whole packet, to be passed on.
    Session(Vec<u8>),
    /// A request to cancel another session, which the embedded server cannot do.
    Cancel,
    /// Not the PostgreSQL protocol.
    Nonsense,
}

/// Reads the start-up of one client, and declines encryption on the way (a liveness probe asks for just that).
pub async fn read_opening<S: AsyncRead + AsyncWrite + Unpin>(client: &mut S) -> io::Result<Opening> {
    loop {
        let length = client.read_u32().await?;
        if !(8..=STARTUP_LIMIT).contains(&length) {
            return Ok(Opening::Nonsense);
        }
        let mut packet = length.to_be_bytes().to_vec();
        packet.resize(length as usize, 0);
        client.read_exact(&mut packet[4..]).await?;
        let code = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        match code {
            SSL | GSS if length == 8 => client.write_all(b"N").await?,
            CANCEL => return Ok(Opening::Cancel),
            code if code >> 16 == 3 => return Ok(Opening::Session(packet)),
            _ => return Ok(Opening::Nonsense),
        }
    }
}

/// Asks whether a PostgreSQL server listens, without taking its session.
pub async fn probe<S: AsyncRead + AsyncWrite + Unpin>(server: &mut S) -> io::Result<()> {
    server.write_all(&[8u32.to_be_bytes(), SSL.to_be_bytes()].concat()).await?;
    match server.read_u8().await? {
        b'N' | b'S' => Ok(()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// Opens a session, waits until it is ready for a query and says goodbye. A refusal is the server's own text.
pub async fn say_hello<S>(server: &mut S, user: &str, database: &str) -> io::Result<Result<(), String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    server.write_all(&startup_packet(user, database)).await?;
    loop {
        let kind = server.read_u8().await?;
        let length = server.read_u32().await?;
        if !(4..=MESSAGE_LIMIT).contains(&length) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let mut body = vec![0; length as usize - 4];
        server.read_exact(&mut body).await?;
        match kind {
            b'Z' => break,
            b'E' => return Ok(Err(error_text(&body))),
            _ => {}
        }
    }
    server.write_all(&[b'X', 0, 0, 0, 4]).await?;
    // The server closes when it has put its session away; whatever it still says is of no interest.
    let mut rest = [0; 512];
    while server.read(&mut rest).await? > 0 {}
    Ok(Ok(()))
}

/// Makes the message that turns a client away: a FATAL error and nothing after it.
pub fn refusal(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', "57P03"), (b'M', text)] {
        body.push(field);
        body.extend(value.bytes().filter(|byte| *byte != 0));
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&b"E"[..], &length.to_be_bytes(), &body].concat()
}

fn startup_packet(user: &str, database: &str) -> Vec<u8> {
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    for text in ["user", user, "database", database] {
        body.extend(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body].concat()
}

fn error_text(body: &[u8]) -> String {
    let message = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or(b"unknown error")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opening_of(sent: &[u8]) -> (io::Result<Opening>, Vec<u8>) {
        let (mut client, mut server) = tokio::io::duplex(1 << 16);
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let opening = read_opening(&mut server).await;
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        (opening, answer)
    }

    #[tokio::test]
    async fn encryption_is_declined_and_the_session_passed_on() {
        let startup = startup_packet("postgres", "postgres");
        let sent = [&8u32.to_be_bytes()[..], &SSL.to_be_bytes(), &startup].concat();
        let (opening, answer) = opening_of(&sent).await;
        assert_eq!(opening.unwrap(), Opening::Session(startup));
        assert_eq!(answer, b"N");
    }

    #[tokio::test]
    async fn what_is_not_the_protocol_is_never_passed_on() {
        let cancel = [&16u32.to_be_bytes()[..], &CANCEL.to_be_bytes(), &[0; 8]].concat();
        assert_eq!(opening_of(&cancel).await.0.unwrap(), Opening::Cancel);
        for sent in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 8], &[0xff; 16], &[0, 0, 0, 8, 0, 2, 0, 0]] {
            assert_eq!(opening_of(sent).await.0.unwrap(), Opening::Nonsense, "{sent:?}");
        }
        for sent in [&b""[..], &[0, 0], &[0, 0, 0, 9, 0, 3, 0, 0]] {
            assert!(opening_of(sent).await.0.is_err(), "{sent:?}");
        }
    }

    #[test]
    fn a_refusal_carries_its_text() {
        let message = refusal("the engine\0 stopped");
        assert_eq!(message[0], b'E');
        assert_eq!(u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize, message.len() - 1);
        assert_eq!(error_text(&message[5..]), "the engine stopped");
    }
}
