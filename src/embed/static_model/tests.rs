use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::*;

async fn embed(embedder: &StaticEmbedder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    embedder.embed(&texts).await
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn the_built_in_model_ranks_by_meaning() {
    let texts = ["data retention period", "how long records are kept", "colour of the sky"];
    let vectors = embed(&StaticEmbedder::built_in(), &texts).await.unwrap();
    let (near, far) = (dot(&vectors[0], &vectors[1]), dot(&vectors[0], &vectors[2]));
    assert!(near > far + 0.1, "{near} {far}");
}

#[tokio::test]
async fn vectors_have_unit_length_and_do_not_depend_on_their_batch() {
    let embedder = StaticEmbedder::built_in();
    let texts: Vec<String> = (0..200).map(|number| format!("Điều {number}: the controller keeps records")).collect();
    let vectors = embedder.embed(&texts).await.unwrap();
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(vector.len(), 128);
        assert!((dot(vector, vector) - 1.0).abs() < 1e-5);
        assert_eq!(embed(&embedder, &[text]).await.unwrap().concat(), *vector);
    }
}

#[tokio::test]
async fn texts_without_a_known_token_are_refused() {
    let embedder = StaticEmbedder::built_in();
    let message = |result: Result<_, EmbedError>| result.map(|_: Vec<Vec<f32>>| ()).unwrap_err().to_string();
    assert_eq!(message(embed(&embedder, &["a", " \n"]).await), "text 1 of the batch is empty");
    let unknown = "text 0 of the batch has no token that model \"static-minilm-128\" knows";
    assert_eq!(message(embed(&embedder, &["\u{1f9ff}"]).await), unknown);
    assert_eq!(message(embed(&embedder, &["\u{200b}"]).await), unknown);
    assert_eq!(message(embed(&embedder, &["[CLS]"]).await), unknown);
}

#[test]
fn tokens_are_counted_without_special_ones() {
    let embedder = StaticEmbedder::built_in();
    assert_eq!(embedder.count_tokens("data retention period"), 3);
    assert_eq!(embedder.count_tokens("unaffable!"), 4);
    assert_eq!(embedder.count_tokens(""), 0);
}

#[test]
fn the_identity_is_that_of_the_compiled_in_files() {
    let identity = EmbedderIdentity {
        kind: "static".to_owned(),
        model: "static-minilm-128".to_owned(),
        dimension: 128,
        revision: Some(revision(WEIGHTS, TOKENIZER)),
    };
    assert_eq!(StaticEmbedder::built_in().identity(), &identity);
}

#[tokio::test]
async fn the_same_model_in_a_directory_makes_the_same_vectors() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/static-minilm-128");
    let (opened, built_in) = (StaticEmbedder::open(&directory).unwrap(), StaticEmbedder::built_in());
    assert_eq!(opened.identity(), built_in.identity());
    let texts = ["the erasure of personal data"];
    assert_eq!(embed(&opened, &texts).await.unwrap(), embed(&built_in, &texts).await.unwrap());
    assert_eq!(opened.probe().await.unwrap().dimension, 128);
}

#[test]
fn the_model_is_ready_fast() {
    let start = Instant::now();
    LazyLock::force(&BUILT_IN);
    let took = start.elapsed();
    eprintln!("compiled-in model ready after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// A directory with a model of two tokens, `[UNK]` and `a`.
fn model(dtype: Dtype, shape: Vec<usize>, data: &[u8], config: &str, tensor: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let view = TensorView::new(dtype, shape, data).unwrap();
    fs::write(directory.path().join("model.safetensors"), serialize([(tensor, view)], None).unwrap()).unwrap();
    fs::write(directory.path().join("config.json"), config).unwrap();
    let tokenizer = r###"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
        "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,"model":{"type":"WordPiece","unk_token":"[UNK]",
        "continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"a":1}}}"###;
    fs::write(directory.path().join("tokenizer.json"), tokenizer).unwrap();
    directory
}

const CONFIG: &str = r#"{"normalize": true, "hidden_dim": 2}"#;

#[tokio::test]
async fn directories_with_floats_work() {
    let floats: Vec<u8> = [0f32, 0.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let halves: Vec<u8> = [0u16, 0, 0x4200, 0x4400].iter().flat_map(|value| value.to_le_bytes()).collect();
    for (dtype, data) in [(Dtype::F32, floats), (Dtype::F16, halves)] {
        let directory = model(dtype, vec![2, 2], &data, CONFIG, "embeddings");
        let embedder = StaticEmbedder::open(directory.path()).unwrap();
        assert_eq!(embed(&embedder, &["a b a"]).await.unwrap(), [[0.6, 0.8]]);
    }
}

#[test]
fn wrong_directories_say_which_file_and_why() {
    let data = [0, 0, 3, 4];
    let bytes = |dtype, shape, config, tensor| model(dtype, shape, &data, config, tensor);
    let cases = [
        (
            bytes(Dtype::I8, vec![4, 1], CONFIG, "embeddings"),
            "model.safetensors\" has \"embeddings\" of shape [4, 1], not tokens x 2",
        ),
        (
            bytes(Dtype::U8, vec![2, 2], CONFIG, "embeddings"),
            "model.safetensors\" has \"embeddings\" of type U8, not I8, F16 or F32",
        ),
        (bytes(Dtype::I8, vec![2, 2], CONFIG, "other"), "model.safetensors\" has no tensor \"embeddings\""),
        (
            bytes(Dtype::I8, vec![2, 2], CONFIG, "mapping"),
            "model.safetensors\" has a tensor \"mapping\", which is not supported",
        ),
        (
            bytes(Dtype::I8, vec![1, 4], r#"{"normalize": true, "hidden_dim": 4}"#, "embeddings"),
            "tokenizer.json\" has token 1, but the model has 1 rows",
        ),
        (
            bytes(Dtype::I8, vec![2, 2], r#"{"normalize": false, "hidden_dim": 2}"#, "embeddings"),
            "config.json\" has \"normalize\": false; only models of unit length are supported",
        ),
    ];
    for (directory, message) in cases {
        let error = StaticEmbedder::open(directory.path()).err().unwrap().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    let nowhere = StaticEmbedder::open(Path::new("/nonexistent/model")).err().unwrap().to_string();
    assert!(nowhere.starts_with("model file \"/nonexistent/model/config.json\" cannot be read"), "{nowhere}");
}
