use super::*;

#[test]
fn numbers_out_of_range_are_refused() {
    let cases = [
        (Bm25Params { k: -0.5, ..Bm25Params::default() }, "bm25 setting \"k\" is -0.5; it has to be 0 or more"),
        (Bm25Params { b: f64::NAN, ..Bm25Params::default() }, "bm25 setting \"b\" is NaN; it has to be from 0 to 1"),
        (
            Bm25Params { avg_len: 0.0, ..Bm25Params::default() },
            "bm25 setting \"avg_len\" is 0; it has to be more than 0",
        ),
    ];
    for (params, message) in cases {
        assert_eq!(Bm25::new(params).unwrap_err().to_string(), message);
    }
}

#[cfg(not(feature = "embedded"))]
#[test]
fn a_lean_build_says_that_it_has_no_bm25() {
    assert_eq!(Bm25::new(Bm25Params::default()).unwrap_err(), Bm25Error::NotBuilt);
}

#[cfg(feature = "embedded")]
mod embedded {
    use proptest::prelude::*;

    use super::*;

    // |murmur3_32(token, seed 0)| as computed by an independent implementation.
    const RECORD: u32 = 1_536_651_520;
    const RETENT: u32 = 1_695_497_052;
    const HELLO: u32 = 613_153_351;
    const DIEU: u32 = 389_906_691;
    const KHOAN: u32 = 1_573_458_054;

    fn bm25(params: Bm25Params) -> Bm25 {
        Bm25::new(params).unwrap()
    }

    fn indices(params: Bm25Params, text: &str) -> Vec<u32> {
        bm25(params).query(text).indices
    }

    fn language(language: &str) -> Bm25Params {
        Bm25Params { language: language.to_owned(), ..Bm25Params::default() }
    }

    #[test]
    fn a_query_has_each_stem_once_with_weight_1() {
        let vector = bm25(Bm25Params::default()).query("The retention of records: record RECORDS");
        assert_eq!(vector, SparseVector { indices: vec![RECORD, RETENT], values: vec![1.0, 1.0] });
    }

    #[test]
    fn a_document_has_saturated_frequencies() {
        let vector = bm25(Bm25Params { avg_len: 3.0, ..Bm25Params::default() })
            .document("Records, and the retention of records.");
        // Three words as expected on average: n * 2.2 / (1.2 + n).
        assert_eq!(vector, SparseVector { indices: vec![RECORD, RETENT], values: vec![1.375, 1.0] });
        assert_eq!(bm25(Bm25Params::default()).document("of the"), SparseVector { indices: vec![], values: vec![] });
    }

    #[test]
    fn without_a_language_words_are_left_as_they_are() {
        assert_eq!(indices(language("none"), "Điều khoản"), [DIEU, KHOAN]);
        assert_eq!(indices(language("none"), "the").len(), 1);
        assert_ne!(indices(language("none"), "records"), [RECORD]);
    }

    #[test]
    fn stemmer_stop_words_and_case_can_be_set() {
        let english = Bm25Params::default();
        let unstemmed = Bm25Params { stemmer: Some("none".to_owned()), ..english.clone() };
        assert_eq!(indices(unstemmed.clone(), "the record"), [RECORD]);
        assert_ne!(indices(unstemmed, "records"), [RECORD]);
        let stemmed = Bm25Params { stemmer: Some("english".to_owned()), ..language("none") };
        assert_eq!(indices(stemmed.clone(), "records"), [RECORD]);
        assert_eq!(indices(stemmed, "the records").len(), 2);
        let words = Bm25Params { stopwords: Some(vec!["hello".to_owned()]), ..english.clone() };
        assert_eq!(indices(words.clone(), "Hello records"), [RECORD]);
        assert_eq!(indices(words, "the records").len(), 2);
        let cased = Bm25Params { lowercase: false, ..english };
        assert_eq!(indices(cased.clone(), "hello"), [HELLO]);
        assert_ne!(indices(cased, "HELLO"), [HELLO]);
    }

    #[test]
    fn unknown_languages_are_refused_and_others_spelled_in_full() {
        let error = |params| Bm25::new(params).unwrap_err();
        for name in ["vietnamese", "", "\"", "None"] {
            assert_eq!(error(language(name)), Bm25Error::UnknownLanguage { name: name.to_owned() });
        }
        let odd = Bm25Params { stemmer: Some("nepali".to_owned()), ..Bm25Params::default() };
        assert_eq!(error(odd), Bm25Error::UnknownStemmer { name: "nepali".to_owned() });
        assert_eq!(bm25(language("en")).identity(), bm25(Bm25Params::default()).identity());
    }

    #[test]
    fn the_identity_holds_every_parameter() {
        assert_eq!(
            serde_json::to_string(&bm25(Bm25Params::default()).identity()).unwrap(),
            r#"{"ascii_folding":false,"avg_len":256.0,"b":0.75,"formula":"qdrant-bm25/2","k":1.2,"language":"english","lowercase":true,"stemmer":null,"stopwords":null}"#
        );
    }

    proptest! {
        #[test]
        fn any_text_has_a_vector_whose_indices_ascend(
            text in "\\PC{0,40}|[a-z\\x{300}-\\x{36f}\\x{600}-\\x{6ff} ]{0,40}",
            language_name in prop_oneof![Just("english"), Just("none"), Just("arabic"), Just("turkish"), Just("dutch")],
        ) {
            let bm25 = bm25(language(language_name));
            for vector in [bm25.document(&text), bm25.query(&text)] {
                prop_assert_eq!(vector.indices.len(), vector.values.len());
                prop_assert!(vector.indices.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(vector.values.iter().all(|value| value.is_finite() && *value > 0.0));
            }
        }
    }
}
