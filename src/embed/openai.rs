//! Any OpenAI-compatible `/v1/embeddings`.
//!
//! - `base_url` is the part before `/embeddings`, for example `https://api.openai.com/v1`. A URL without a path gets `/v1`;
//!   one that ends in `/embeddings` is taken as it is. Redirects are not followed: a POST would not survive them.
//! - Texts are packed by count and by estimated tokens, sent with bounded concurrency (for the embedder, however many calls share
//!   it), and come back in order.
//! - 408, 425, 429, 5xx, timeouts and broken connections are tried again, with growing waits or the provider's `Retry-After`; longer
//!   than `max_wait` is not waited. Everything else is refused at once.
//! - The key is sent as `Authorization: Bearer`, marked sensitive, and in no error. Loopback servers are never reached through a proxy.
//! - TLS: rustls with the ring provider; roots are the operating system's (on Linux the CA files that OpenSSL would use, or
//!   `SSL_CERT_FILE`/`SSL_CERT_DIR`). For `http://` no roots are loaded, so a container without any can still use a local server.

mod answer;
mod retry;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::Semaphore;
use url::{Host, Url};

pub use self::retry::RetryPolicy;
use super::embedder::{BatchLimits, Embedder, EmbedderIdentity, Probe, batches, refuse_empty};
use super::error::EmbedError;

/// Where and how to ask. [`OpenAiConfig::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    pub base_url: String,
    pub model: String,
    /// The dimension that answers must have.
    pub dimension: u32,
    /// Whether to ask for `dimension`: for models that can shorten their vectors. Many servers refuse the field for others.
    pub send_dimension: bool,
    pub api_key: Option<SecretString>,
    pub limits: BatchLimits,
    /// The most requests at a time.
    pub concurrency: u32,
    /// For one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    pub retry: RetryPolicy,
}

impl OpenAiConfig {
    /// A configuration that suits hosted and local servers alike: 96 texts or 100,000 tokens in a batch, 4 batches at a time.
    pub fn new(base_url: &str, model: &str, dimension: u32) -> Self {
        Self {
            base_url: base_url.to_owned(),
            model: model.to_owned(),
            dimension,
            send_dimension: false,
            api_key: None,
            limits: BatchLimits { max_texts: 96, max_tokens: 100_000 },
            concurrency: 4,
            timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
        }
    }
}

/// Embeds by asking a server.
pub struct OpenAiEmbedder {
    identity: EmbedderIdentity,
    config: OpenAiConfig,
    endpoint: Endpoint,
    client: Client,
    slots: Semaphore,
}

/// Where requests go, and what errors call it: without a query, which may hold a key.
struct Endpoint {
    url: Url,
    name: String,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

impl OpenAiEmbedder {
    /// Checks the configuration and prepares connections; asks nothing yet.
    pub fn new(config: OpenAiConfig) -> Result<Self, EmbedError> {
        let setting = |field, problem: &str| Err(EmbedError::Setting { field, problem: problem.to_owned() });
        if config.model.trim().is_empty() {
            return setting("model", "is empty");
        }
        if config.dimension == 0 {
            return setting("dimension", "is 0");
        }
        if config.concurrency == 0 {
            return setting("concurrency", "is 0");
        }
        if config.timeout.is_zero() {
            return setting("timeout", "is 0");
        }
        let endpoint = Endpoint::parse(&config.base_url)?;
        let client = client(&config, &endpoint)?;
        let identity = EmbedderIdentity {
            kind: "openai".to_owned(),
            model: config.model.clone(),
            dimension: config.dimension,
            revision: None,
        };
        let slots = Semaphore::new(config.concurrency as usize);
        Ok(Self { identity, config, endpoint, client, slots })
    }

    /// Embeds one batch, trying again while that can help.
    async fn batch(&self, texts: &[String]) -> Result<answer::Vectors, EmbedError> {
        let _slot = self.slots.acquire().await.unwrap_or_else(|_| panic!("BUG: the slots were closed"));
        retry::run(self.config.retry, || self.request(texts)).await
    }

    async fn request(&self, texts: &[String]) -> Result<answer::Vectors, EmbedError> {
        let dimension = self.config.dimension;
        let request = Request {
            model: &self.config.model,
            input: texts,
            dimensions: self.config.send_dimension.then_some(dimension),
        };
        let sent = self.client.post(self.endpoint.url.clone()).json(&request).send();
        let response = sent.await.map_err(|error| self.broken(error))?;
        if !response.status().is_success() {
            return Err(self.rejected(response, texts).await);
        }
        // A number is rarely written with more than 32 bytes; the rest is for keys and white space.
        let limit = 1024 * 1024 + texts.len() * dimension as usize * 64;
        let body = answer::read(response, limit).await.map_err(|error| self.broken(error))?;
        body.and_then(|body| answer::parse(&body, texts.len(), dimension))
            .map_err(|problem| EmbedError::Answer { endpoint: self.endpoint.name.clone(), problem })
    }

    fn broken(&self, error: reqwest::Error) -> EmbedError {
        let endpoint = self.endpoint.name.clone();
        let source = error.without_url();
        if source.is_timeout() {
            EmbedError::Timeout { endpoint, timeout_ms: self.config.timeout.as_millis() }
        } else if retry::is_about_tls(&source) {
            EmbedError::Untrusted { endpoint, source }
        } else {
            EmbedError::Unreachable { endpoint, source }
        }
    }

    async fn rejected(&self, response: reqwest::Response, texts: &[String]) -> EmbedError {
        let status = response.status().as_u16();
        let retry_after = retry::retry_after(response.headers(), jiff::Timestamp::now());
        let body = answer::read(response, 64 * 1024).await;
        let code = body.ok().and_then(Result::ok).and_then(|body| answer::error_code(&body));
        let code = code.filter(|code| !self.is_private(code, texts));
        EmbedError::Rejected { endpoint: self.endpoint.name.clone(), status, code, retry_after }
    }

    /// Whether an error code quotes the key or a text.
    fn is_private(&self, code: &str, texts: &[String]) -> bool {
        let key = self.config.api_key.as_ref().map_or("", |key| key.expose_secret().trim());
        let is_key = !key.is_empty() && (key.contains(code) || code.contains(key));
        is_key || texts.iter().any(|text| text.contains(code) || code.contains(text.trim()))
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    fn limits(&self) -> BatchLimits {
        self.config.limits
    }

    /// An estimate: four ASCII characters, or one other character, are a token. Within a third for English; high for other scripts, so
    /// that batches stay within their limit.
    fn count_tokens(&self, text: &str) -> u64 {
        let (ascii, other) = text
            .chars()
            .fold((0u64, 0u64), |(ascii, other), c| if c.is_ascii() { (ascii + 1, other) } else { (ascii, other + 1) });
        ascii.div_ceil(4) + other
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        refuse_empty(texts)?;
        let ranges = batches(texts, self.config.limits, |text| self.count_tokens(text));
        let requests: Vec<_> = ranges.into_iter().map(|range| self.batch(&texts[range])).collect();
        let answers = stream::iter(requests).buffered(self.config.concurrency as usize);
        let answers: Vec<answer::Vectors> = answers.try_collect().await?;
        Ok(answers.into_iter().flat_map(|answer| answer.vectors).collect())
    }

    async fn probe(&self) -> Result<Probe, EmbedError> {
        let start = Instant::now();
        let answer = self.request(&["probe".to_owned()]).await?;
        Ok(Probe { dimension: self.config.dimension, elapsed: start.elapsed(), reported_model: answer.model })
    }
}

impl Endpoint {
    fn parse(base_url: &str) -> Result<Self, EmbedError> {
        let wrong = |problem: &str| EmbedError::Setting { field: "base_url", problem: problem.to_owned() };
        let mut url = Url::parse(base_url.trim()).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("does not begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user or password; put the key into \"api_key\""));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let path = match path.as_str() {
            "" => "/v1/embeddings".to_owned(),
            path if path.ends_with("/embeddings") => path.to_owned(),
            path => format!("{path}/embeddings"),
        };
        url.set_path(&path);
        url.set_fragment(None);
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self { url, name: shown.to_string() })
    }

    fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

fn client(config: &OpenAiConfig, endpoint: &Endpoint) -> Result<Client, EmbedError> {
    // An error means that another part of the program chose the provider first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = ClientBuilder::new()
        .user_agent(concat!("enact/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout)
        .redirect(redirect::Policy::none())
        .default_headers(headers(config)?);
    if endpoint.url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|source| EmbedError::Untrusted { endpoint: endpoint.name.clone(), source })
}

fn headers(config: &OpenAiConfig) -> Result<HeaderMap, EmbedError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &config.api_key {
        // Keys that come from files end in a line break.
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim())).map_err(|_| {
            EmbedError::Setting { field: "api_key", problem: "holds a character that cannot be sent".to_owned() }
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
