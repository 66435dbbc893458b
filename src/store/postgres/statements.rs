//! Prepared statements, kept by their text and the types of their parameters.

use std::collections::{BTreeMap, VecDeque};

use tokio_postgres::Statement;
use tokio_postgres::types::Type;

/// How many are kept. An apply uses a few dozen; a table with its own text for each row must not fill the server.
const LIMIT: usize = 256;

type Key = (String, Vec<u32>);

/// The statements of one connection. The oldest makes room.
#[derive(Default)]
pub(super) struct Statements {
    kept: BTreeMap<Key, Statement>,
    order: VecDeque<Key>,
}

impl Statements {
    /// A statement that is kept.
    pub(super) fn get(&self, text: &str, types: &[Type]) -> Option<Statement> {
        self.kept.get(&key(text, types)).cloned()
    }

    /// Keeps a statement.
    pub(super) fn keep(&mut self, text: &str, types: &[Type], statement: Statement) {
        let key = key(text, types);
        if self.order.len() >= LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.kept.insert(key, statement);
    }

    /// Forgets everything, after the server said that a statement no longer fits its tables.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.order.clear();
    }
}

fn key(text: &str, types: &[Type]) -> Key {
    (text.to_owned(), types.iter().map(Type::oid).collect())
}
