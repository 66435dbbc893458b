//! Plain data shared by every part.
//!
//! Nothing here does I/O, reads a clock or draws a random number, and every map is ordered, so that the same input
//! gives the same bytes on every machine.
//!
//! *Not here:* parsing (`spec`), comparing (`diff`), deciding (`plan`, `apply::machine`).

mod approval;
mod binding;
mod canonical;
mod chunk_policy;
mod closest;
mod desired;
mod diagnostic;
mod encode;
mod environment;
mod guard;
mod name;
mod observed;
mod placeholder;
mod points;
mod record;
mod recorded;
mod rows;
mod selection;
mod table;
mod unit_names;
mod written;

pub use approval::ApprovalRule;
pub use binding::{
    Argument, Binding, FunctionCall, Gate, IdScheme, Ledger, LifecycleBinding, PromotionBinding, Refresh,
    RetentionPolicy, RowTemplate, SetHash, SoftReference, StatusCheck, TableUpdate, TemplateScope, Transition,
    TransitionWork, UnitSource,
};
pub use canonical::{Digest, Digester, canonical_json, digest_of, digest_without};
pub use chunk_policy::{ChunkPolicy, ChunkTemplate, EmptyBody, Splitter, TemplateError};
pub use closest::{closest, name_hint, near_hint};
pub use desired::{
    Desired, Distance, Expectation, IdChoice, MaxDelete, NamedSelection, PayloadIndex, Promotion, Review, Rollout,
    SourceFile, VectorSet, VectorSpec,
};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Place, Severity, Spot};
pub use environment::{
    BindingRef, DEFAULT_PROJECT, EmbedderConfig, Environment, PostgresConfig, QdrantConfig, Roles, SecretSource,
    Stores, Tls, may_write,
};
pub use guard::{
    Answer, Check, CheckResource, Expected, FilterValue, GateResource, GuardFacts, Guarded, Guards, ItemsSeal,
    PointsSeal, Protected, Protection, ProtectionPin, Retention, RetentionFacts, Seal, UnitSeal,
};
pub use name::{Address, NameError, TableName, is_hidden};
pub use observed::{
    DECLARED_KEY, FunctionFacts, KnownNames, LedgerRow, LivePoints, LiveRow, Managed, Observed, Parameter,
    PointsCompared, ReferenceTarget, SharedAddress, TriedUnits, UnitFacts, UnitPart, UnitParts, UnitTrigger,
    UnitWriters, Unread, unit_part,
};
pub use placeholder::{PlaceholderError, Scope, Template, fill_value};
pub use points::{
    ChunkFacts, CollectionFacts, CollectionLimits, CollectionMetadata, EmbedderIdentity, Identities, IndexFacts,
    PointId, PointIds, VectorParams,
};
pub use record::{OwnedChunk, Ownership, RecordedUnit, SetRecord};
pub use recorded::{
    ColumnDiffers, RecordedTable, RecordedValue, RowDifference, RowDiffers, RowRecord, TableNow, TableRead,
};
pub use rows::{
    Cell, DeclaredRow, ExtraRow, Followers, KeyPart, RowFacts, RowFinding, RowKey, RowNeed, RowNeedKind, RowOrigin,
    RowRef, RowReference, RowSeen, RowSet, RowState, SyncedPart, SyncedTable,
};
pub use selection::{Condition, Selection, UnitsRef};
pub use table::{CheckFacts, Column, ColumnKind, ForeignKey, OnChange, TableFacts, TableKind, UniqueIndex};
pub use unit_names::{UnitNames, unit_value};
pub use written::{JsonTextError, PlainScalar, Written, check_json};
