//! Codes of what only the live stores can show: `E040` to `E079`, warnings `W040` to `W059`; of guards and gates `E080` to
//! `E089`, `W060` to `W069`.

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
/// A saved plan does not hold something that its changes name.
pub const NOT_PINNED: Code = Code { id: "E058", summary: "the saved plan is not whole" };
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
/// An expression of the binding does not fit the tables.
pub const EXPRESSION: Code = Code { id: "E067", summary: "an expression of the binding cannot be read" };
/// `--target` or `--exclude` names something that neither the plan files nor the stores have.
pub const UNKNOWN_ADDRESS: Code = Code { id: "E068", summary: "unknown address" };
/// `--exclude` leaves out what something that stays needs, or a part of a promotion, or everything.
pub const NEEDED: Code = Code { id: "E069", summary: "it cannot be left out" };
/// The joins of the binding give one unit several times, each with other values: which of them counts would be chance. Make
/// "from" give each unit once, with an aggregate or a DISTINCT ON in place of the join that multiplies.
pub const UNIT_TWICE: Code = Code { id: "E070", summary: "a unit is read twice" };
/// Two units that the plan is about have one address, by which plans, reviews and records name them. Make the binding's
/// address unique, such as d.tenant || '/' || d.slug, or narrow the selections to one of the two.
pub const SHARED_ADDRESS: Code = Code { id: "E071", summary: "two units have the same address" };
/// A selection names a lifecycle state that the binding does not have. It would choose no unit, and an index over it would be
/// emptied.
pub const UNKNOWN_STATE: Code = Code { id: "E072", summary: "unknown lifecycle state" };
/// A vector set would lose more points than its plan file allows, because their units leave it.
pub const POINTS_LIMIT: Code = Code { id: "E073", summary: "more points would be deleted than allowed" };
/// The plan's own rows or moves change units that it promotes or indexes, so that these are known only where its writes are
/// tried, in a transaction that is rolled back; and they cannot be. Plan with a role that may write, or make two plans of it.
pub const NOT_TRIED: Code = Code { id: "E074", summary: "what the plan writes cannot be tried" };
/// A value of a unit comes from the time, a sequence or chance when the plan's own writes are made, so that what would be
/// indexed cannot be reviewed.
pub const MOVING_UNIT: Code = Code { id: "E075", summary: "a unit is another one each time that it is written" };
/// A value is cut, rounded or padded by its column.
pub const CUT_VALUE: Code = Code { id: "E087", summary: "a column would keep another value" };
/// A value that is another one at every plan.
pub const MOVING_VALUE: Code = Code { id: "E088", summary: "a value that does not stand still" };
/// A unique value is not free.
pub const UNIQUE_VALUE: Code = Code { id: "E089", summary: "a unique value is taken" };
/// A row that is deleted or gets another key is still referred to.
pub const STILL_REFERRED: Code = Code { id: "E090", summary: "other rows still refer to it" };
/// A declared row would go or change by the way, when another one does.
pub const CASCADE: Code = Code { id: "E091", summary: "a declared row would go with another one" };
/// A synced table would lose more rows than allowed.
pub const MAX_DELETE: Code = Code { id: "E092", summary: "more rows would be deleted than allowed" };
/// A row is declared for a synced part of a table and lies outside of it.
pub const OUTSIDE_WHERE: Code = Code { id: "E093", summary: "a row outside of the part that is synced" };
/// The role may not read a column that it has to compare.
pub const NOT_READABLE: Code = Code { id: "E094", summary: "a column may not be read" };
/// A row violates a check of its table.
pub const CHECK_VIOLATED: Code = Code { id: "E095", summary: "a check of the table does not hold" };
/// A table has a column whose name begins with `enact` and a space, as names in Enact's own queries do.
pub const OWN_NAME: Code = Code { id: "E096", summary: "a column's name is one of Enact's own" };
/// A promotion that was applied says something else in the plan file now: another target, review, selection or choice of ids. What was
/// reviewed and applied is not edited. Write it as it was, and what is decided now as a promotion of another name.
pub const EDITED_PROMOTION: Code = Code { id: "E098", summary: "a promotion was edited after it was applied" };
/// Another project of this database manages a vector set that is declared here. What a project manages is its own: give the set another
/// name, or declare it in the files of one project.
pub const SET_OF_ANOTHER: Code = Code { id: "E099", summary: "the vector set is of another project" };
/// A synced table would lose a row that another project on this database declares. Limit what is synced (`where`), or declare the
/// rows in one project alone.
pub const ROW_OF_ANOTHER: Code = Code { id: "E097", summary: "the row is of another project" };
/// Rows of other tables go or change with rows of the plan, because their foreign keys say so. They are counted and named; a
/// revert does not bring them back.
pub const CONSEQUENCE: Code = Code { id: "W066", summary: "other rows go or change too" };
/// A new row would take a unique value of a row that stays, unless a trigger of the table makes another one of it. The plan
/// cannot see through the trigger: the database decides when it is applied.
pub const GUESS: Code = Code { id: "W071", summary: "a unique value may be taken" };
/// New rows need a column that is not declared, has no default and cannot be NULL, and the table has a trigger that may
/// fill it. List the column under `computed` if it does.
pub const LEFT_TO_TRIGGER: Code = Code { id: "W072", summary: "a required column is left to a trigger" };
/// Rows of other tables change with keys of the plan's rows, because their foreign keys say `ON UPDATE CASCADE`. They are
/// counted and named; a revert changes them back the same way.
pub const FOLLOWS: Code = Code { id: "W070", summary: "other rows follow a key that changes" };
/// A text that looks like JSON is declared for a JSON column, where it becomes a JSON string. Write it as YAML, or as
/// `!json '…'`.
pub const JSON_TEXT: Code = Code { id: "W067", summary: "a text that looks like JSON" };
/// Policies of row-level security hide rows from the role that plans. Plan with a role that sees all rows of the table.
pub const ROW_SECURITY: Code = Code { id: "W068", summary: "row-level security may hide rows" };
/// Rows get chosen values in a column that a sequence numbers, and the role may not move the sequence: a later row that the
/// database numbers may get the same value and be refused. Grant USAGE and UPDATE on the sequence.
pub const SEQUENCE: Code = Code { id: "W069", summary: "a sequence stays behind chosen values" };
/// A promotion was recorded and more units match now. A recorded decision covers exactly its set: write another
/// promotion for the rest, or narrow the selection.
pub const MORE_UNITS: Code = Code { id: "W040", summary: "more units match a promotion that was recorded" };
/// A promotion or a vector set selects nothing. Check its selection: a name or a state may be misspelled.
pub const NO_UNITS: Code = Code { id: "W041", summary: "a selection is empty" };
/// A collection holds points that Enact does not own. They stay as they are, and nothing says whether they are right: find
/// out who writes them, or give Enact a collection of its own.
pub const FOREIGN_POINTS: Code = Code { id: "W042", summary: "the collection holds points that Enact does not own" };
/// A transition has no way back: once applied, the units cannot return to the state they are in. Review the list of units
/// before you approve; what comes after is another state, not this one.
pub const NO_WAY_BACK: Code = Code { id: "W043", summary: "there is no way back" };
/// The chunk policy or an embedder changed, or the collection is not the one that was applied, so that texts are embedded
/// again although they did not change. See the plan's cost line, and change recipes of a large set rarely.
pub const RE_EMBEDDING: Code = Code { id: "W044", summary: "texts are embedded again" };
/// Rows are deleted. The plan shows each with its values: keep the saved plan, or a dump, if they may be needed again.
pub const DATA_LOSS: Code = Code { id: "W045", summary: "rows are deleted" };
/// Something that lives cannot be adopted.
pub const NOT_ADOPTED: Code = Code { id: "W055", summary: "not adopted" };
/// Adopted points hold other texts than the chunk policy cuts.
pub const OTHER_TEXTS: Code = Code { id: "W056", summary: "adopted points hold other texts" };
/// Points of units that leave a set are deleted, and searches find these units no more. Check that the selection still
/// means what it should; a unit that comes back is embedded again.
pub const POINTS_LOST: Code = Code { id: "W046", summary: "points are deleted" };
/// A new collection takes the place of the old one, which is dropped after the grace. Until then it can be looked into;
/// set `sweep_grace` of the environment longer to keep it longer.
pub const COLLECTION_DROPPED: Code = Code { id: "W047", summary: "an old collection is dropped" };
/// One transaction writes so many rows or moves so many units that others wait for its locks. Apply at a quiet time, or
/// divide the plan; every part is atomic only in itself.
pub const LONG_LOCK: Code = Code { id: "W048", summary: "many rows are locked in one transaction" };
/// A collection was written by something else than the run that the database remembers, or either store was restored from
/// a backup. Nothing in it is relied on: everything is compared anew and made again where it differs.
pub const UNVERIFIABLE: Code = Code { id: "W049", summary: "what is there cannot be verified" };
/// The role may read the rows of the units and not lock them. They are read again as the last thing before the decision,
/// which leaves a moment for others to change them: grant UPDATE on these tables to close it.
pub const NOT_LOCKED: Code = Code { id: "W050", summary: "units can be read but not locked" };
/// Something that a reverted run did stays: the plan says what, and why it cannot go back.
pub const STAYS: Code = Code { id: "W051", summary: "something cannot go back" };
/// `--target` or `--exclude` narrowed the plan: after it, the stores need not match the plan files. Meant for mending, not
/// for every day; plan without them afterwards.
pub const PARTIAL: Code = Code { id: "W057", summary: "the plan is partial" };
/// The plan would change something that it also protects.
pub const PROTECTED: Code = Code { id: "E080", summary: "the plan writes into something protected" };
/// A gate has no row.
pub const UNKNOWN_GATE: Code = Code { id: "E081", summary: "unknown gate" };
/// The database refuses a query of a check or a protection.
pub const QUERY: Code = Code { id: "E082", summary: "a query cannot be run" };
/// A check does not hold when planned.
pub const CHECK_FAILED: Code = Code { id: "E083", summary: "a check does not hold" };
/// A protected collection is not there.
pub const UNKNOWN_COLLECTION: Code = Code { id: "E084", summary: "unknown collection" };
/// A retention does not agree with its table or its policy.
pub const RETENTION: Code = Code { id: "E085", summary: "retention that does not fit its table" };
/// A check that only warns does not hold.
pub const CHECK_WARNING: Code = Code { id: "W060", summary: "a check does not hold, and only warns" };
/// Something protected is another than the last apply left.
pub const PROTECTION_MOVED: Code = Code { id: "W061", summary: "something protected moved since the last apply" };
/// A retention's gate is not opened by this plan.
pub const RETENTION_WAITS: Code = Code { id: "W062", summary: "a retention is not enabled yet" };
/// A retention's gate stands open without its pair or before its day.
pub const RETENTION_OPEN: Code = Code { id: "W063", summary: "a retention's gate is open without its pair" };
/// Points say that they are of a vector set, and no apply wrote them: somebody copied them, or another database's Enact did.
/// They are left alone: delete them by their ids.
pub const STRAY_POINTS: Code = Code { id: "W073", summary: "points that no apply wrote say that they are of the set" };
/// A declared value means neither open nor shut.
pub const GATE_VALUE: Code = Code { id: "W064", summary: "a gate's value is neither open nor shut" };
/// Something lives that a plan file could declare, and what it would have to say cannot be proved. The message says what is
/// missing: write it by hand, or give what is asked for.
pub const NOT_RECOGNISED: Code = Code { id: "W065", summary: "something that lives is not written" };
/// `export` or `import` was asked for a resource that is not there.
pub const NOTHING_THERE: Code = Code { id: "E086", summary: "there is nothing of this name" };
