use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::error::{AnswerProblem, EmbedFault};
use super::*;

const KEY: &str = "sk-very-secret";

/// What the server does with a request.
#[derive(Clone)]
enum Reply {
    /// Vectors of this dimension whose first number is the length of the text.
    Vectors(usize),
    Status(u16, &'static str, &'static str),
    Hang,
    Close,
}

/// A server that gives the replies in turn, the last one again and again, and keeps what it was asked.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut hanging = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(request) = read(&mut stream).await else { continue };
                let at = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                match replies.get(at).or(replies.last()).unwrap() {
                    Reply::Vectors(dimension) => answer(&mut stream, 200, "", &vectors(&request.1, *dimension)).await,
                    Reply::Status(status, header, body) => answer(&mut stream, *status, header, body).await,
                    Reply::Hang => hanging.push(stream),
                    Reply::Close => drop(stream),
                }
            }
        });
        Self { url, requests, task }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// An embedder that waits a minute before it asks again, so that a test that waits fails.
    fn embedder(&self, change: impl FnOnce(&mut OpenAiConfig)) -> OpenAiEmbedder {
        let mut config = OpenAiConfig::new(&self.url, "m", 3);
        config.api_key = Some(format!("{KEY}\n").into());
        config.retry =
            RetryPolicy { max_retries: 2, min_wait: Duration::from_secs(60), max_wait: Duration::from_secs(60) };
        change(&mut config);
        OpenAiEmbedder::new(config).unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok()?;
        if body.len() >= length {
            return Some((head, serde_json::from_str(body).ok()?));
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, header: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

fn vectors(request: &Value, dimension: usize) -> String {
    let mut data: Vec<Value> = request["input"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let mut embedding = vec![0.5; dimension];
            embedding[0] = text.as_str().unwrap().len() as f32;
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    data.reverse();
    json!({ "object": "list", "data": data, "model": "m-2", "usage": { "total_tokens": 1 } }).to_string()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const TEXT: &str = "private text";

async fn refusal(embedder: &OpenAiEmbedder) -> EmbedError {
    let error = embedder.embed(&texts(&[TEXT])).await.unwrap_err();
    let shown = format!("{error} {error:?} {}", error.hint());
    assert!(!shown.contains(KEY) && !shown.contains(TEXT), "{shown}");
    error
}

#[tokio::test]
async fn batches_are_asked_for_and_come_back_in_order() {
    let server = Server::start(vec![Reply::Vectors(3)]).await;
    let embedder = server.embedder(|config| {
        config.limits.max_texts = 2;
        config.send_dimension = true;
    });
    let got = embedder.embed(&texts(&["a", "bb", "ccc", "dddd", "eeeee"])).await.unwrap();
    let firsts: Vec<f32> = got.iter().map(|vector| vector[0]).collect();
    assert_eq!(firsts, [1.0, 2.0, 3.0, 4.0, 5.0]);
    let requests = server.requests.lock().unwrap().clone();
    let mut bodies: Vec<String> = requests.iter().map(|(_, body)| body.to_string()).collect();
    bodies.sort();
    let body = |input: &[&str]| json!({ "model": "m", "input": input, "dimensions": 3 }).to_string();
    assert_eq!(bodies, [body(&["a", "bb"]), body(&["ccc", "dddd"]), body(&["eeeee"])]);
    for (head, _) in requests {
        assert!(head.starts_with("post /v1/embeddings http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("authorization: bearer {KEY}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let busy = Reply::Status(429, "retry-after: 0\r\n", "");
    let server = Server::start(vec![busy, Reply::Vectors(3)]).await;
    let got = server.embedder(|_| ()).embed(&texts(&["a"])).await.unwrap();
    assert_eq!(got, [[1.0, 0.5, 0.5]]);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_an_error_at_once() {
    let server = Server::start(vec![Reply::Status(503, "retry-after: 3600\r\n", "")]).await;
    let error = refusal(&server.embedder(|_| ())).await;
    assert_eq!((error.fault(), error.retry_after()), (EmbedFault::Transient, Some(Duration::from_secs(3600))));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn transient_failures_are_tried_as_often_as_configured() {
    for reply in [Reply::Status(500, "", ""), Reply::Close, Reply::Hang] {
        let server = Server::start(vec![reply]).await;
        let embedder = server.embedder(|config| {
            config.timeout = Duration::from_millis(200);
            config.retry.min_wait = Duration::from_millis(1);
            config.retry.max_wait = Duration::from_millis(2);
        });
        assert_eq!(refusal(&embedder).await.fault(), EmbedFault::Transient);
        assert_eq!(server.count(), 3);
    }
}

#[tokio::test]
async fn refusals_are_not_tried_again_and_say_what_to_change() {
    let echo = r#"{"error":{"message":"Incorrect key sk-very-secret for: private text","code":"sk-very-secret"}}"#;
    let known = r#"{"error":{"message":"private text","type":"invalid_request_error"}}"#;
    let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
    let cases = [
        (Reply::Status(401, "", echo), " answered 401", "check the embedder's \"api_key\" and what it may use"),
        (
            Reply::Status(400, "", known),
            " answered 400 (invalid_request_error)",
            "check \"model\" and \"dimension\", and that \"max_chars\" of the chunk policy fits what the model can read",
        ),
        (
            Reply::Status(429, "", quota),
            " answered 429 (insufficient_quota)",
            "the account has no quota left: add some, or use another \"api_key\"",
        ),
        (
            Reply::Status(308, "location: /elsewhere\r\n", ""),
            " answered 308",
            "correct \"base_url\": the server sends requests elsewhere",
        ),
        (
            Reply::Vectors(4),
            " answered with a vector of dimension 4, not 3",
            "set the embedder's \"dimension\" to 4, or choose the model that makes the dimension you want",
        ),
        (
            Reply::Status(200, "", r#"{"data":[]}"#),
            " answered with 0 vectors for 1 texts",
            "set the embedder's \"max_texts\" to 1; if that does not help, the server does not speak the OpenAI protocol",
        ),
        (
            Reply::Status(200, "", r#"{"data":"private text"}"#),
            " answered with something that is not the JSON of an embeddings answer (line 1, column 22)",
            "check \"base_url\": it is the part before /embeddings, for example https://api.openai.com/v1",
        ),
    ];
    for (reply, message, hint) in cases {
        let server = Server::start(vec![reply]).await;
        let error = refusal(&server.embedder(|_| ())).await;
        assert_eq!(error.to_string(), format!("\"{}/embeddings\"{message}", server.url));
        assert_eq!((error.hint(), error.fault(), server.count()), (hint.to_owned(), EmbedFault::Refused, 1));
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let long: &'static str = String::leak(" ".repeat(3 * 1024 * 1024));
    let server = Server::start(vec![Reply::Status(200, "", long)]).await;
    let error = refusal(&server.embedder(|_| ())).await;
    assert!(matches!(error, EmbedError::Answer { problem: AnswerProblem::TooLarge { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_transient_and_names_the_endpoint() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let mut config = OpenAiConfig::new(&format!("http://127.0.0.1:{port}/v1?api-key=hidden"), "m", 3);
    config.retry.max_retries = 0;
    let error = refusal(&OpenAiEmbedder::new(config).unwrap()).await;
    assert_eq!(error.to_string(), format!("\"http://127.0.0.1:{port}/v1/embeddings\" cannot be reached"));
    assert_eq!(error.fault(), EmbedFault::Transient);
    assert!(!format!("{error:?}").contains("hidden"));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, 400, "", "").await;
        let _ = stream.read(&mut [0; 1024]).await;
    });
    match OpenAiEmbedder::new(OpenAiConfig::new(&url, "m", 3)) {
        Ok(embedder) => assert_eq!(refusal(&embedder).await.fault(), EmbedFault::Refused),
        // This machine has no CA certificates.
        Err(error) => assert!(matches!(error, EmbedError::Untrusted { .. }), "{error:?}"),
    }
    server.abort();
}

#[tokio::test]
async fn a_probe_reports_the_model() {
    let server = Server::start(vec![Reply::Vectors(3)]).await;
    let probe = server.embedder(|_| ()).probe().await.unwrap();
    assert_eq!((probe.dimension, probe.reported_model.as_deref()), (3, Some("m-2")));
}

#[tokio::test]
async fn empty_texts_are_not_sent() {
    let server = Server::start(vec![Reply::Vectors(3)]).await;
    let error = server.embedder(|_| ()).embed(&texts(&["a", " "])).await.unwrap_err();
    assert!(matches!(error, EmbedError::EmptyText { index: 1 }));
    assert_eq!(server.count(), 0);
    assert_eq!(server.embedder(|_| ()).embed(&[]).await.unwrap(), Vec::<Vec<f32>>::new());
}

#[test]
fn base_urls_are_completed_or_refused() {
    let cases = [
        ("https://api.openai.com/v1", Ok("https://api.openai.com/v1/embeddings")),
        ("http://localhost:11434/", Ok("http://localhost:11434/v1/embeddings")),
        ("https://host/a/embeddings?api-version=1", Ok("https://host/a/embeddings")),
        ("api.openai.com", Err("embedder setting \"base_url\" is not a URL: relative URL without a base")),
        ("ftp://host", Err("embedder setting \"base_url\" does not begin with http:// or https://")),
        (
            "http://u:p@host",
            Err("embedder setting \"base_url\" holds a user or password; put the key into \"api_key\""),
        ),
    ];
    for (url, expected) in cases {
        let got = Endpoint::parse(url).map(|endpoint| endpoint.name).map_err(|error| error.to_string());
        assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{url}");
    }
}

#[test]
fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
    let mut config = OpenAiConfig::new("http://localhost", "m", 3);
    config.api_key = Some("a\nb".to_owned().into());
    let error = OpenAiEmbedder::new(config).err().unwrap().to_string();
    assert_eq!(error, "embedder setting \"api_key\" holds a character that cannot be sent");
}
