//! Values on their way in and out.
//!
//! A parameter has the type that its `Param` says, whatever the statement would make of it; a result column of a type
//! that `Cell` does not know is refused before the statement runs.

use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Statement};

use crate::store::{Cell, Fault, Param, Record, StoreError};

/// The type of a parameter.
pub(super) fn type_of(param: &Param) -> Type {
    match param {
        Param::Null | Param::Text(_) => Type::TEXT,
        Param::Bool(_) => Type::BOOL,
        Param::Int(_) => Type::INT8,
        Param::Texts(_) | Param::OptionalTexts(_) => Type::TEXT_ARRAY,
        Param::Json(_) => Type::JSONB,
    }
}

/// A parameter as the client takes it.
pub(super) fn bound(param: &Param) -> &(dyn ToSql + Sync) {
    const NULL: &Option<String> = &None;
    match param {
        Param::Null => NULL,
        Param::Bool(flag) => flag,
        Param::Int(number) => number,
        Param::Text(text) => text,
        Param::Texts(texts) => texts,
        Param::OptionalTexts(texts) => texts,
        Param::Json(value) => value,
    }
}

/// Refuses a statement whose result cannot be read.
pub(super) fn check_columns(statement: &Statement) -> Result<(), StoreError> {
    for column in statement.columns() {
        if Kind::of(column.type_()).is_none() {
            return Err(StoreError::new(
                Fault::Refused,
                format!(
                    "BUG: the result column \"{}\" has the type {}; the statement must cast it to text",
                    column.name(),
                    column.type_()
                ),
            ));
        }
    }
    Ok(())
}

/// Reads one row.
pub(super) fn record(row: &Row) -> Result<Record, StoreError> {
    let mut cells = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let value = cell(row, index, column.type_()).map_err(|error| {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            StoreError::new(Fault::Refused, format!("the result column \"{}\" cannot be read: {why}", column.name()))
        })?;
        cells.push((column.name().to_owned(), value));
    }
    Ok(Record(cells))
}

enum Kind {
    Bool,
    Small,
    Integer,
    Big,
    Text,
    Texts,
    Json,
    Void,
}

impl Kind {
    fn of(type_: &Type) -> Option<Kind> {
        match *type_ {
            Type::BOOL => Some(Kind::Bool),
            Type::INT2 => Some(Kind::Small),
            Type::INT4 => Some(Kind::Integer),
            Type::INT8 => Some(Kind::Big),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR | Type::UNKNOWN => Some(Kind::Text),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY => Some(Kind::Texts),
            Type::JSON | Type::JSONB => Some(Kind::Json),
            Type::VOID => Some(Kind::Void),
            _ => None,
        }
    }
}

fn cell(row: &Row, index: usize, type_: &Type) -> Result<Cell, tokio_postgres::Error> {
    let cell = match Kind::of(type_) {
        Some(Kind::Bool) => row.try_get::<_, Option<bool>>(index)?.map(Cell::Bool),
        Some(Kind::Small) => row.try_get::<_, Option<i16>>(index)?.map(|n| Cell::Int(n.into())),
        Some(Kind::Integer) => row.try_get::<_, Option<i32>>(index)?.map(|n| Cell::Int(n.into())),
        Some(Kind::Big) => row.try_get::<_, Option<i64>>(index)?.map(Cell::Int),
        Some(Kind::Text) => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
        Some(Kind::Texts) => row.try_get::<_, Option<Vec<String>>>(index)?.map(Cell::Texts),
        Some(Kind::Json) => row.try_get::<_, Option<Value>>(index)?.map(Cell::Json),
        Some(Kind::Void) => None,
        None => panic!("BUG: a column type was not checked"),
    };
    Ok(cell.unwrap_or(Cell::Null))
}
