//! The types: how a column of one is declared, what an author may write, and how the database spells it.

use super::super::{Grammar, grammar};

/// A type of column, and values of it as an author writes them in YAML.
#[derive(Debug, Clone, Copy)]
pub struct Type {
    pub name: &'static str,
    /// As in `CREATE TABLE`.
    pub column: &'static str,
    /// Spellings of one value. Equal by the type's own equality; where it has none, by the text that the database makes of them.
    /// Of a text the spelling is the value, also where the column takes two for equal.
    pub same: &'static [&'static str],
    /// How the value `v` is read as text.
    pub read: &'static str,
    /// The first of them as the database spells it.
    pub stored: &'static str,
    /// Another value.
    pub other: &'static str,
    /// The first major version that has the type.
    pub since: u32,
}

/// Each package of `.ci/postgres-versions` has them; a distribution may keep them apart (Debian has them in `postgresql` since 10).
pub const EXTENSIONS: &str = "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree";

pub const PREPARATION: &str = "
    CREATE COLLATION public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TYPE public.mood AS ENUM ('sad', 'so so', 'happy');
    CREATE TYPE public.spot AS (x int, y text);
    CREATE DOMAIN public.postcode AS text CHECK (VALUE ~ '^[0-9]+$');
    CREATE DOMAIN public.small AS int CHECK (VALUE < 100);
    CREATE DOMAIN public.triple AS int[] CHECK (cardinality(VALUE) = 3);
    CREATE DOMAIN public.settings AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
    CREATE DOMAIN public.smaller AS public.small CHECK (VALUE > 0);";

/// All of them.
pub fn types() -> Vec<Type> {
    let whole = if grammar() == Grammar::Whole { WHOLE } else { &[] };
    [NUMBERS, TEXTS, TIMES, BINARY, DOCUMENTS, NETWORK, SHAPES, RANGES, SEARCH, COMPOUND, SYSTEM, whole].concat()
}

const fn of(column: &'static str, same: &'static [&'static str], stored: &'static str, other: &'static str) -> Type {
    Type { name: column, column, same, stored, other, read: "v::text", since: 13 }
}

impl Type {
    const fn named(self, name: &'static str) -> Type {
        Type { name, ..self }
    }

    /// Where the text itself is the writer's own matter.
    const fn read(self, read: &'static str) -> Type {
        Type { read, ..self }
    }

    const fn since(self, since: u32) -> Type {
        Type { since, ..self }
    }
}

const NUMBERS: &[Type] = &[
    of("smallint", &["7", r#""+7""#, r#""007""#], "7", "-32768"),
    of("integer", &["42", r#"" 42 ""#, r#""+042""#], "42", "2147483647"),
    of("bigint", &["9223372036854775807", r#""9223372036854775807""#], "9223372036854775807", "-9223372036854775808"),
    of("numeric", &["12345678901234567890.10", r#""12345678901234567890.1""#], "12345678901234567890.10", "0"),
    of("numeric(12,4)", &["1.5", r#""1.50000""#, r#""15e-1""#], "1.5000", "1.5001"),
    of("numeric", &[r#""NaN""#, "nan"], "NaN", "0").named("numeric that is no number"),
    of("numeric", &["Infinity", r#""+inf""#], "Infinity", "-Infinity").named("numeric without end").since(14),
    of("real", &["0.1", r#""1e-1""#, "0.10"], "0.1", "0.2"),
    of("double precision", &["0.1", r#""0.10""#, "1e-1"], "0.1", "0.30000000000000004"),
    of("double precision", &[r#""NaN""#, "nan"], "NaN", "0").named("double that is no number"),
    of("double precision", &["Infinity", r#""inf""#, r#"" INFINITY ""#], "Infinity", r#""-Infinity""#)
        .named("double without end"),
    of("money", &[r#""1234.5""#, r#""$1,234.50""#, "1234.50"], "$1,234.50", r#""-1""#),
    of("boolean", &["true", r#""yes""#, "on", r#""1""#, r#"" T ""#], "true", "off"),
];

const TEXTS: &[Type] = &[
    of("text", &["plain", r#""plain""#, "'plain'"], "plain", r#""plain ""#),
    of("text", &[r#""""#, "''"], "", r#"" ""#).named("text without characters"),
    of("text", &["1.10", r#""1.10""#], "1.10", "1.1").named("text like a number"),
    of("text", &["1e3", r#""1e3""#], "1e3", "1000").named("text like a number with an exponent"),
    of("text", &["012", r#""012""#], "012", "12").named("text like a number with a zero before"),
    of("text", &["TRUE", r#""TRUE""#], "TRUE", "true").named("text like a truth"),
    of("text", &["2026-01-01", r#""2026-01-01""#], "2026-01-01", "2026-1-1").named("text like a date"),
    of("text", &[r#""NULL""#, "'NULL'"], "NULL", r#""null""#).named("text like a NULL"),
    of("text", &[r#""a\nb\n""#, "|\n          a\n          b"], "a\nb\n", r#""a\nb""#).named("text of two lines"),
    of("text", &[r#""\u1ec7 \U0001F600""#, "ệ 😀"], "ệ 😀", r#""e\u0323\u0302 😀""#).named("text beyond ASCII"),
    of("text COLLATE public.any_case", &["MiXed", r#""MiXed""#], "MiXed", "mixed").named("text of any case"),
    of("varchar(20)", &[r#"" x ""#, "' x '"], " x ", "x"),
    of("char(8)", &["ab", r#""ab ""#, r#""ab        ""#], "ab", "abc"),
    of("bpchar", &["ab", r#""ab  ""#], "ab", "abc"),
    of(r#""char""#, &["a", r#""a""#], "a", "b"),
    of("name", &["a name", r#""a name""#], "a name", "A name"),
    of("citext", &["MiXed", r#""MiXed""#], "MiXed", "mixed"),
    of("public.postcode", &[r#""0123""#, "0123"], "0123", r#""123""#).named("domain over text"),
    of(
        "uuid",
        &[
            "5B0C7A10-0000-4000-8000-00000000000A",
            r#""{5b0c7a10-0000-4000-8000-00000000000a}""#,
            "5b0c7a1000004000800000000000000a",
        ],
        "5b0c7a10-0000-4000-8000-00000000000a",
        "5b0c7a10-0000-4000-8000-00000000000b",
    ),
];

const TIMES: &[Type] = &[
    of(
        "timestamptz",
        &[
            "2026-03-29 02:30 Europe/Berlin",
            r#""2026-03-29T01:30:00Z""#,
            "2026-03-29 03:30:00+02",
            "Sun Mar 29 2026 01:30 UTC",
        ],
        "2026-03-29 01:30:00+00",
        "2026-03-29 01:30:00.000001Z",
    ),
    of("timestamptz", &["infinity", r#"" Infinity ""#], "infinity", r#""-infinity""#).named("timestamptz without end"),
    of(
        "timestamp",
        &["2026-03-29T02:30:00", r#""29 Mar 2026 02:30""#, "20260329T0230"],
        "2026-03-29 02:30:00",
        "epoch",
    ),
    of("date", &["2026-06-22", r#""June 22, 2026""#, "20260622", "2026.173"], "2026-06-22", "0044-03-15 BC"),
    of("time", &["4:05 PM", r#""16:05:00""#, "16:05"], "16:05:00", "24:00"),
    of("timetz", &["04:05:06-8:00", r#""04:05:06-08""#, "040506-0800"], "04:05:06-08", "04:05:06-7"),
    of(
        "interval",
        &["1 year 2 mons 36 hours", r#""P1Y2MT36H""#, "14 mons 1 day 12:00", r#""@ 14 months 36 hours""#],
        "1 year 2 mons 36:00:00",
        "1 year 2 mons 36 hours ago",
    ),
    of(
        "timestamptz[]",
        &[r#"["2026-01-01 00:00+00"]"#, "[2026-01-01T01:00:00+01:00]"],
        r#"{"2026-01-01 00:00:00+00"}"#,
        "[]",
    ),
];

const BINARY: &[Type] = &[
    of("bytea", &[r#""\\xDEADbeef""#, r"'\xde ad BE ef'", r"'\336\255\276\357'"], r"\xdeadbeef", r#""""#),
    of("bit(5)", &[r#""00101""#, "B00101", "b00101"], "00101", r#""10100""#),
    of("bit varying(9)", &[r#""101""#, "B101"], "101", r#""0101""#),
];

const DOCUMENTS: &[Type] = &[
    of(
        "json",
        &["{ b: 1, a: [1, 2] }", r#"{"b": 1, "a": [1, 2]}"#, "\n          b: 1\n          a: [1, 2]"],
        r#"{"a": [1, 2], "b": 1}"#,
        "{ b: 2 }",
    )
    .read("v::jsonb::text"),
    of(
        "jsonb",
        &[r#"{ b: 1, a: [1, { z: 1, y: null }], s: "é" }"#, r#"{ s: "\u00e9", a: [1.0, { y: null, z: 1 }], b: 1e0 }"#],
        r#"{"a": [1, {"y": null, "z": 1}], "b": 1, "s": "é"}"#,
        "{ b: 1, a: [1, { z: 1 }], s: é }",
    ),
    of(
        "jsonb",
        &[
            "{ n: 12345678901234567890123, p: 0.1000000000000000055 }",
            "{ p: 0.10000000000000000550, n: 12345678901234567890123 }",
        ],
        r#"{"n": 12345678901234567890123, "p": 0.1000000000000000055}"#,
        "{ n: 12345678901234567890124, p: 0.1000000000000000055 }",
    )
    .named("jsonb with large numbers"),
    of("jsonb", &["hello", r#""hello""#], r#""hello""#, "[hello]").named("jsonb of a text"),
    of("jsonb", &["[]", "[ ]"], "[]", "{}").named("jsonb without anything"),
    of("public.settings", &["{ a: 1 }", "{ a: 1.0 }"], r#"{"a": 1}"#, "{ a: 2 }").named("domain over jsonb"),
    of("jsonpath", &["$.a[*]", r#"'$."a"[*]'"#, r#""$ . a [ * ]""#], r#"$."a"[*]"#, "$.b"),
    of("xml", &[r#""<a b='1'>&amp;</a>""#, "\"<a b='1'>&\\u0061mp;</a>\""], "<a b='1'>&amp;</a>", "<a/>"),
];

const NETWORK: &[Type] = &[
    of("inet", &["192.168.0.1/24", r#""192.168.0.1/24""#], "192.168.0.1/24", "192.168.0.1"),
    of("inet", &[r#""::FFFF:1.2.3.4""#, r#""::ffff:102:304/128""#], "::ffff:1.2.3.4/128", r#""::1""#)
        .named("inet of version 6"),
    of("cidr", &["10/8", "10.0.0.0/8", "10.0.0/8"], "10.0.0.0/8", "10.0.0.0/9"),
    of("macaddr", &["08002b010203", r#""08:00:2B:01:02:03""#, "0800.2b01.0203"], "08:00:2b:01:02:03", "08002b010204"),
    of(
        "macaddr8",
        &[r#""08:00:2b:01:02:03:04:05""#, "0800.2B01.0203.0405", "08002b0102030405"],
        "08:00:2b:01:02:03:04:05",
        "08002b010203",
    ),
];

/// Most of these have no equality that says anything: two are the same when the database spells them alike.
const SHAPES: &[Type] = &[
    of("point", &[r#""1, 2""#, r#""(1.0,2)""#, "'( 1 , 2e0 )'"], "(1,2)", r#""1,3""#),
    of("line", &[r#""{1,-1,0}""#, r#""[(0,0),(1,1)]""#], "{1,-1,0}", r#""{1,-1,1}""#),
    of("lseg", &[r#""[(1,2),(3,4)]""#, r#""1,2,3,4""#], "[(1,2),(3,4)]", r#""3,4,1,2""#),
    of("box", &[r#""(1,2),(3,4)""#, r#""3,4,1,2""#, r#""(1,4),(3,2)""#], "(3,4),(1,2)", r#""(0,0),(1,1)""#),
    of("path", &[r#""[(1,2),(3,4)]""#, "'[ ( 1.0 , 2 ) , ( 3 , 4 ) ]'"], "[(1,2),(3,4)]", r#""((1,2),(3,4))""#),
    of("polygon", &[r#""((1,2),(3,4),(5,0))""#, r#""1,2,3,4,5,0""#], "((1,2),(3,4),(5,0))", r#""((1,2),(3,4),(5,1))""#),
    of("circle", &[r#""<(1,2),3>""#, r#""((1,2),3)""#, r#""1,2,3""#], "<(1,2),3>", r#""<(1,2),4>""#),
];

const RANGES: &[Type] = &[
    of("int4range", &[r#""[1,10]""#, r#""[1,11)""#, r#""(0, 11)""#], "[1,11)", "empty"),
    of("int8range", &[r#""[1,]""#, r#""(0,)""#], "[1,)", r#""(,)""#),
    of("numrange", &[r#""(1.10, 2.50]""#, r#""(1.1,2.5]""#], "(1.10,2.50]", r#""(1.1,2.5)""#),
    of(
        "daterange",
        &[r#""[2026-01-01,2026-01-31]""#, r#""[2026-01-01,2026-02-01)""#],
        "[2026-01-01,2026-02-01)",
        "empty",
    ),
    of(
        "tsrange",
        &[r#""[2026-01-01,2026-01-02)""#, "'[2026-01-01 00:00, 2026-01-02T00:00)'"],
        r#"["2026-01-01 00:00:00","2026-01-02 00:00:00")"#,
        "empty",
    ),
    of(
        "tstzrange",
        &[r#"'["2026-01-01 00:00+00",)'"#, r#""[2026-01-01T01:00:00+01:00,)""#],
        r#"["2026-01-01 00:00:00+00",)"#,
        r#""(,)""#,
    ),
    of("int4multirange", &[r#""{[1,3],[3,5]}""#, r#""{[1,6)}""#], "{[1,6)}", r#""{}""#).since(14),
    of("nummultirange", &[r#""{[1.0,2],(2,3]}""#, r#""{[1,3.00]}""#], "{[1.0,3]}", r#""{[1,2]}""#).since(14),
    of("int4range[]", &[r#"["[1,2]", null]"#, r#"["[1,3)", null]"#], r#"{"[1,3)",NULL}"#, "[]"),
];

const SEARCH: &[Type] = &[
    of("tsvector", &[r#""fat cat:3""#, "\"'cat':3 'fat'\""], "'cat':3 'fat'", "fat"),
    of("tsquery", &["fat & cat", "\"'fat'&'cat'\"", "( fat & cat )"], "'fat' & 'cat'", "fat"),
    of("ltree", &["Top.Science", r#""Top.Science""#], "Top.Science", "Top"),
    of("lquery", &[r#""*.a{1,2}""#, "'*.a{1,2}'"], "*.a{1,2}", r#""*.b""#),
    of("hstore", &[r#""b=>1, a=>NULL""#, r#"'"a"=>NULL, "b"=>"1"'"#], r#""a"=>NULL, "b"=>"1""#, "b=>1"),
];

const COMPOUND: &[Type] = &[
    of("public.mood", &["so so", r#""so so""#], "so so", "happy").named("enum"),
    of("public.mood[]", &["[happy, so so]", r#"'{happy,"so so"}'"#], r#"{happy,"so so"}"#, "[sad]")
        .named("array of an enum"),
    of(
        "public.spot",
        &[r#"{ x: 1, y: "a b" }"#, r#"'(1,"a b")'"#, r#"{ y: a b, x: "01" }"#],
        r#"(1,"a b")"#,
        "{ x: 1 }",
    )
    .named("composite"),
    of("public.spot[]", &["[{ x: 1, y: a }]", r#"'{"(1,a)"}'"#], r#"{"(1,a)"}"#, "[]").named("array of a composite"),
    of("public.small", &["7", r#""07""#], "7", "99").named("domain over a number"),
    of("public.smaller", &["7", r#""07""#], "7", "99").named("domain over a domain"),
    of("public.triple", &["[1, 2, 3]", r#""{1, 2,3}""#, r#"["1", "2", "3"]"#], "{1,2,3}", "[3, 2, 1]")
        .named("domain over an array"),
    of(
        "text[]",
        &[r#"[a, "b,c", null, "NULL", ""]"#, r#"'{a,"b,c",NULL,"NULL",""}'"#],
        r#"{a,"b,c",NULL,"NULL",""}"#,
        "[]",
    ),
    of("text[]", &["[1.10, TRUE, 012]", r#"["1.10", "TRUE", "012"]"#], "{1.10,TRUE,012}", "[1.1]")
        .named("array of texts like numbers"),
    of("int[][]", &["[[1, 2], [3, 4]]", r#""{{1,2},{3,4}}""#, r#""[1:2][1:2]={{1,2},{3,4}}""#], "{{1,2},{3,4}}", "[1]"),
    of("int[]", &[r#""[0:1]={1,2}""#, r#""[0:1]={ 1, 2 }""#], "[0:1]={1,2}", "[1, 2]").named("array from nought"),
    of("numeric[]", &["[1.10, 2]", r#"["1.1", 2.0]"#], "{1.10,2}", "[1.1]"),
    of("boolean[]", &["[true, false]", r#""{t,f}""#, "[on, no]"], "{t,f}", "[true]"),
    of("char(3)[]", &["[ab]", r#"["ab "]"#], r#"{"ab "}"#, "[abc]"),
    of("citext[]", &["[MiXed]", "'{MiXed}'"], "{MiXed}", "[other]"),
    of("jsonb[]", &[r#"[{ a: 1 }, "x"]"#, r#"[{ a: 1.0 }, "x"]"#], r#"{"{\"a\": 1}","\"x\""}"#, "[]"),
];

const SYSTEM: &[Type] = &[
    of("oid", &["42", r#"" 42""#], "42", "43"),
    of("regclass", &["pg_catalog.pg_class", "pg_class", r#"'"pg_class"'"#], "pg_class", "pg_type"),
    of("regtype", &["int4", "integer", "pg_catalog.int4"], "integer", "text"),
    of("pg_lsn", &["16/B374D848", r#""16/b374d848""#], "16/B374D848", "0/0"),
    of("xid8", &["42", r#""42""#], "42", "43"),
];

/// What only the whole grammar can say.
const WHOLE: &[Type] = &[of("jsonb", &["!json null"], "null", "[null]").named("jsonb of nothing")];
