//! Reads answers, whatever they hold.

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use super::super::error::AnswerProblem;

/// Checked vectors, in the order of the texts.
#[derive(Debug, PartialEq)]
pub(super) struct Vectors {
    pub vectors: Vec<Vec<f32>>,
    pub model: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    #[serde(default)]
    model: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// Reads a body of at most `limit` bytes; the outer error is a broken connection.
pub(super) async fn read(
    mut response: Response,
    limit: usize,
) -> Result<Result<Vec<u8>, AnswerProblem>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > limit {
            return Ok(Err(AnswerProblem::TooLarge { limit }));
        }
        body.extend_from_slice(&part);
    }
    Ok(Ok(body))
}

/// Reads and checks an answer for `expected` texts.
pub(super) fn parse(body: &[u8], expected: usize, dimension: u32) -> Result<Vectors, AnswerProblem> {
    // The parser's own message quotes the answer, which may quote a text.
    let not_embeddings =
        |error: serde_json::Error| AnswerProblem::NotEmbeddings { line: error.line(), column: error.column() };
    let answer: Answer = serde_json::from_slice(body).map_err(not_embeddings)?;
    if answer.data.len() != expected {
        return Err(AnswerProblem::Count { expected, got: answer.data.len() });
    }
    let vectors = in_order(answer.data)?;
    for vector in &vectors {
        if vector.len() != dimension as usize {
            return Err(AnswerProblem::Dimension { expected: dimension, got: vector.len() });
        }
        if vector.iter().any(|value| !value.is_finite()) {
            return Err(AnswerProblem::NotFinite);
        }
    }
    Ok(Vectors { vectors, model: answer.model })
}

/// The machine-readable code of an error answer; its message is not read, because it may quote the request.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let places = [&body["error"]["code"], &body["error"]["type"], &body["code"], &body["type"]];
    let code = places.into_iter().find_map(Value::as_str)?;
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!code.is_empty() && code.len() <= 64 && code.chars().all(is_code)).then(|| code.to_owned())
}

/// Puts vectors in the order of their indices. Some servers send none at all; then the order of the answer counts.
fn in_order(items: Vec<Item>) -> Result<Vec<Vec<f32>>, AnswerProblem> {
    if items.iter().all(|item| item.index.is_none()) {
        return Ok(items.into_iter().map(|item| item.embedding).collect());
    }
    let last = items.len().saturating_sub(1);
    let mut vectors: Vec<Option<Vec<f32>>> = items.iter().map(|_| None).collect();
    for item in items {
        // Servers behind Protocol Buffers leave an index of 0 out.
        match vectors.get_mut(item.index.unwrap_or(0)) {
            Some(place @ None) => *place = Some(item.embedding),
            Some(Some(_)) | None => return Err(AnswerProblem::Order { last }),
        }
    }
    vectors.into_iter().collect::<Option<_>>().ok_or(AnswerProblem::Order { last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_in_the_order_of_their_indices() {
        let ordered =
            |vectors: &[f32]| Ok(Vectors { vectors: vectors.iter().map(|&value| vec![value]).collect(), model: None });
        let cases = [
            (r#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[0]}]}"#, ordered(&[0.0, 1.0])),
            (r#"{"data":[{"index":1,"embedding":[1]},{"embedding":[0]}]}"#, ordered(&[0.0, 1.0])),
            (r#"{"data":[{"embedding":[0]},{"embedding":[1]}]}"#, ordered(&[0.0, 1.0])),
            (
                r#"{"data":[{"index":1,"embedding":[1]},{"index":1,"embedding":[0]}]}"#,
                Err(AnswerProblem::Order { last: 1 }),
            ),
            (
                r#"{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[0]}]}"#,
                Err(AnswerProblem::Order { last: 1 }),
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(parse(body.as_bytes(), 2, 1), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_a_good_vector_is_named() {
        let cases = [
            (r#"{"data":[]}"#, AnswerProblem::Count { expected: 1, got: 0 }),
            (r#"{"data":[{"index":0,"embedding":[1,2,3]}]}"#, AnswerProblem::Dimension { expected: 2, got: 3 }),
            (r#"{"data":[{"index":0,"embedding":[1,1e300]}]}"#, AnswerProblem::NotFinite),
            (r#"{"data":[{"index":0,"embedding":[1,null]}]}"#, AnswerProblem::NotEmbeddings { line: 1, column: 39 }),
            (r#"{"data":[{"index":-1,"embedding":[1,2]}]}"#, AnswerProblem::NotEmbeddings { line: 1, column: 20 }),
            ("<html>", AnswerProblem::NotEmbeddings { line: 1, column: 1 }),
            ("", AnswerProblem::NotEmbeddings { line: 1, column: 0 }),
        ];
        for (body, problem) in cases {
            assert_eq!(parse(body.as_bytes(), 1, 2), Err(problem), "{body}");
        }
    }

    #[test]
    fn of_an_error_answer_only_a_code_is_kept() {
        let cases = [
            (r#"{"error":{"message":"m","type":"t","code":"invalid_api_key"}}"#, Some("invalid_api_key")),
            (r#"{"error":{"message":"m","type":"t","code":null}}"#, Some("t")),
            (r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#, Some("BadRequestError")),
            (r#"{"error":{"code":"a text with spaces"}}"#, None),
            (r#"{"error":"m"}"#, None),
            ("[1]", None),
            ("<html>", None),
        ];
        for (body, code) in cases {
            assert_eq!(error_code(body.as_bytes()).as_deref(), code, "{body}");
        }
    }
}
