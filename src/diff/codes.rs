//! Codes of what only the live stores can show: `E040` to `E069`, warnings `W040` to `W059`.

use crate::model::Code;

/// A live selection is not the expected one.
pub const UNEXPECTED_UNITS: Code = Code { id: "E040", summary: "the selection is not the expected one" };
/// No transition leads to the wanted state.
pub const ILLEGAL_TRANSITION: Code = Code { id: "E041", summary: "no transition leads there" };
/// Two promotions want the same unit.
pub const CLAIMED_TWICE: Code = Code { id: "E042", summary: "two promotions move the same unit" };
/// A template of the binding cannot be filled.
pub const TEMPLATE: Code = Code { id: "E043", summary: "a template of the binding cannot be filled" };
/// An id scheme is not in the binding.
pub const UNKNOWN_SCHEME: Code = Code { id: "E044", summary: "unknown id scheme" };
/// A table is not there.
pub const UNKNOWN_TABLE: Code = Code { id: "E045", summary: "unknown table" };
/// A column is not there.
pub const UNKNOWN_COLUMN: Code = Code { id: "E046", summary: "unknown column" };
/// A function is not there.
pub const UNKNOWN_FUNCTION: Code = Code { id: "E047", summary: "unknown function" };
/// A function has no such parameter.
pub const UNKNOWN_PARAMETER: Code = Code { id: "E048", summary: "unknown function argument" };
/// A value does not fit its column.
pub const BAD_VALUE: Code = Code { id: "E049", summary: "a value does not fit its column" };
/// A referred row is missing.
pub const MISSING_REFERENCE: Code = Code { id: "E050", summary: "a referred row is missing" };
/// A key is not unique.
pub const NOT_A_KEY: Code = Code { id: "E051", summary: "the key does not identify one row" };
/// Points of somebody else stand at the ids of a set.
pub const TAKEN_IDS: Code = Code { id: "E052", summary: "points of somebody else have the ids of this set" };
/// A required column has no value.
pub const REQUIRED_COLUMN: Code = Code { id: "E053", summary: "a required column has no value" };
/// Units without a body and no decision about them.
pub const EMPTY_BODIES: Code = Code { id: "E054", summary: "units without a body, and no choice for them" };
/// A field of the units is not in the binding.
pub const UNKNOWN_FIELD: Code = Code { id: "E055", summary: "unknown field of a unit" };
/// The rollout cannot make the change.
pub const ROLLOUT: Code = Code { id: "E056", summary: "the rollout cannot make the change" };
/// A collection may not be written.
pub const DENIED_COLLECTION: Code = Code { id: "E057", summary: "the environment denies this collection" };
/// Dependencies form a circle.
pub const CYCLE: Code = Code { id: "E059", summary: "dependencies form a circle" };
/// The content changed after review.
pub const CONTENT_MOVED: Code = Code { id: "E060", summary: "the content changed after the review" };
/// The same row is declared twice.
pub const ROW_TWICE: Code = Code { id: "E061", summary: "the same row is declared twice" };
/// The binding lacks what a plan asks for.
pub const NOT_IN_BINDING: Code = Code { id: "E062", summary: "the binding has nothing for this" };
/// An embedder is not in the environment.
pub const UNKNOWN_EMBEDDER: Code = Code { id: "E063", summary: "unknown embedder" };
/// Two chunks of a set have the same key.
pub const SAME_KEY: Code = Code { id: "E064", summary: "two chunks have the same key" };
/// An update or delete on a table that does not allow it.
pub const APPEND_ONLY: Code = Code { id: "E065", summary: "the table does not allow this change" };
/// An embedder cannot be used.
pub const EMBEDDER: Code = Code { id: "E066", summary: "an embedder cannot be used" };
/// A promotion was recorded and more units match now.
pub const MORE_UNITS: Code = Code { id: "W040", summary: "more units match a promotion that was recorded" };
/// A promotion selects nothing.
pub const NO_UNITS: Code = Code { id: "W041", summary: "a selection is empty" };
/// A collection holds points that Enact does not own.
pub const FOREIGN_POINTS: Code = Code { id: "W042", summary: "the collection holds points that Enact does not own" };
/// A transition has no way back.
pub const NO_WAY_BACK: Code = Code { id: "W043", summary: "there is no way back" };
/// All points are made again.
pub const RE_EMBEDDING: Code = Code { id: "W044", summary: "every chunk of a set is embedded again" };
/// A deletion.
pub const DATA_LOSS: Code = Code { id: "W045", summary: "rows are deleted" };
/// Something that lives cannot be adopted.
pub const NOT_ADOPTED: Code = Code { id: "W055", summary: "not adopted" };
/// Adopted points hold other texts than the chunk policy cuts.
pub const OTHER_TEXTS: Code = Code { id: "W056", summary: "adopted points hold other texts" };
