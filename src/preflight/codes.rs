//! Codes of what only a probe can show: `E100` to `E119`, warnings `W080` to `W099`.

use crate::model::Code;

/// A role is not there.
pub const UNKNOWN_ROLE: Code = Code { id: "E100", summary: "unknown role" };
/// The session may not SET ROLE to it.
pub const ROLE_SWITCH: Code = Code { id: "E101", summary: "the session may not take the role on" };
/// A role lacks USAGE on a schema.
pub const SCHEMA_USAGE: Code = Code { id: "E102", summary: "a role may not use the schema" };
/// A role lacks a privilege on a table or on some of its columns.
pub const TABLE_PRIVILEGE: Code = Code { id: "E103", summary: "a role lacks a privilege on a table" };
/// A role lacks EXECUTE on a function.
pub const FUNCTION_PRIVILEGE: Code = Code { id: "E104", summary: "a role may not call the function" };
/// Enact's own schema is missing, of another version, or not writable.
pub const ENACT_SCHEMA: Code = Code { id: "E105", summary: "Enact's own schema cannot be used" };
/// A gate has no row, or its value cannot be read.
pub const GATE: Code = Code { id: "E106", summary: "a gate cannot be read" };
/// The vector store's limits do not allow what the plan does.
pub const COLLECTION_LIMIT: Code = Code { id: "E107", summary: "a collection refuses what the plan does" };
/// The API key says of itself that it may not do what the plan does.
pub const QDRANT_KEY: Code = Code { id: "E108", summary: "the API key may not do what the plan does" };
/// PostgreSQL takes no writes.
pub const READ_ONLY: Code = Code { id: "E109", summary: "the database takes no writes" };
/// A store cannot be reached.
pub const UNREACHABLE: Code = Code { id: "E110", summary: "a store cannot be reached" };
/// Plan files that refer to what is not there, or cannot be read.
pub const UNPLANNABLE: Code = Code { id: "E111", summary: "the plan files cannot be planned" };
/// Something works, but within limits that the plan may come to feel.
pub const LIMITED: Code = Code { id: "W080", summary: "a channel works with limits" };
