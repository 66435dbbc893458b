//! The `#[test]` of the integration tests: keeps the function and enters it into the list that the suite's harness runs.
//!
//! | written | means |
//! | --- | --- |
//! | `#[test] fn f()` | a test, as everywhere |
//! | `#[test] async fn f()` | on a tokio runtime with several threads |
//! | `#[test(postgres)]` | not run where that is missing, and counted: a `Need` of `tests/harness.rs` |
//! | `#[test(alone)]` | while no other test runs, because it measures time or memory |
//!
//! It stands in the place of the built-in attribute, which a target with a harness of its own drops without a word.

use proc_macro::{TokenStream, TokenTree};

/// Enters a function into the list of tests.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let words = || function.clone().into_iter().filter_map(word);
    let name = words().skip_while(|word| word != "fn").nth(1).expect("#[test] stands before a function");
    let is_async = words().take_while(|word| word != "fn").any(|word| word == "async");
    let run = if is_async { format!("|| crate::harness::block_on({name}())") } else { name.clone() };
    let marks: String = arguments.into_iter().filter_map(word).map(|word| mark(&word)).collect();
    let entry = format!(
        "::inventory::submit! {{ crate::harness::Case {{ \
             path: concat!(module_path!(), \"::{name}\"), marks: &[{marks}], run: {run} }} }}"
    );
    let mut out = function;
    out.extend(entry.parse::<TokenStream>().expect("an entry of the list"));
    out
}

/// `postgres` is `Mark::Postgres` of the harness.
fn mark(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    format!("crate::harness::Mark::{}{rest},", first.to_uppercase())
}

fn word(token: TokenTree) -> Option<String> {
    match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}
