//! A case as SQL: its tables, what is in them, and its triggers.

use super::schema::{
    Case, Checked, Column, Cover, FILLED, GENERATED, GONE, Key, Made, OnDelete, Reference, Row, TOUCHED, Table, Trigger,
};

/// What a column that a trigger touches holds before.
pub const UNTOUCHED: &str = "2000-01-01 00:00:00+00";

/// The first value that the database makes for an identity; below are those of the seeds, and from 1000 on hand-picked ones.
pub const MADE_FROM: u32 = 100;

/// The tag of the primary key of a row that was deleted softly.
const BURIED: u8 = 60;

/// The table that audit triggers write to, by its last part alone.
pub fn audit_log() -> &'static str {
    "public.audit_log"
}

pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Key {
    /// The tags of its columns.
    pub fn tags(&self, tag: u8) -> Vec<u8> {
        if self.columns.len() == 2 { vec![tag / 2, tag % 2] } else { vec![tag] }
    }

    /// Its columns with the values of a tag, as SQL.
    pub fn values(&self, tag: u8, odd: bool) -> Vec<(String, String)> {
        let parts = self.columns.iter().zip(self.tags(tag));
        parts.map(|((name, kind), tag)| ((*name).to_owned(), kind.value(tag, odd).sql)).collect()
    }

    /// What finds the row of a tag.
    pub fn condition(&self, tag: u8) -> String {
        let equal = self.values(tag, false).into_iter().map(|(name, value)| format!("{} = {value}", ident(&name)));
        let living = (self.cover == Cover::Living).then(|| format!("{} IS NULL", ident(GONE)));
        equal.chain(living).collect::<Vec<_>>().join(" AND ")
    }

    fn list(&self) -> String {
        self.columns.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", ")
    }
}

impl Table {
    /// As SQL has it.
    pub fn path(&self) -> String {
        format!("{}.{}", ident(self.schema), ident(&self.name))
    }

    /// As a plan has it.
    pub fn written(&self) -> String {
        let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let part = |name: &str| if is_plain(name) { name.to_owned() } else { ident(name) };
        format!("{}.{}", part(self.schema), part(&self.name))
    }

    pub fn fills(&self) -> bool {
        self.triggers.iter().any(|trigger| matches!(trigger, Trigger::Fill { .. }))
    }

    pub fn touches(&self) -> bool {
        self.triggers.contains(&Trigger::Touch)
    }

    fn has_living_key(&self) -> bool {
        self.keys.iter().any(|key| key.cover == Cover::Living)
    }

    /// Columns that are not what was written: a trigger has the last word there.
    pub fn rewritten(&self) -> Vec<&'static str> {
        let column = |trigger: &Trigger| match trigger {
            Trigger::Rewrite(column) => Some(self.values[*column].name),
            Trigger::Fill { always: true } => Some(FILLED),
            Trigger::Fill { always: false } | Trigger::Touch | Trigger::Audit => None,
        };
        self.triggers.iter().filter_map(column).collect()
    }

    /// All columns with their types.
    pub fn columns(&self, tables: &[Table]) -> Vec<(String, String)> {
        let mut out: Vec<(String, String)> = Vec::new();
        let plain = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        for key in &self.keys {
            out.extend(key.columns.iter().map(|(name, kind)| plain(name, kind.column())));
        }
        for reference in &self.references {
            let kinds = tables[reference.to].keys[reference.to_key].columns.iter().map(|(_, kind)| kind.column());
            out.extend(reference.columns.iter().zip(kinds).map(|(name, kind)| plain(name, kind)));
        }
        out.extend(self.values.iter().map(|column| plain(column.name, column.kind.column())));
        out.extend(self.has_living_key().then(|| plain(GONE, "timestamptz")));
        out.extend(self.fills().then(|| plain(FILLED, "text")));
        out.extend(self.touches().then(|| plain(TOUCHED, "timestamptz")));
        out.extend(self.generated.map(|_| plain(GENERATED, "int")));
        out
    }

    fn create(&self, tables: &[Table]) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (name, kind) in self.columns(tables) {
            parts.push(format!("{} {kind}{}", ident(&name), self.constraint(&name)));
        }
        for key in &self.keys {
            match key.cover {
                Cover::Primary => parts.push(format!("PRIMARY KEY ({})", key.list())),
                Cover::Unique => parts.push(format!("UNIQUE ({})", key.list())),
                Cover::Deferrable => parts.push(format!("UNIQUE ({}) DEFERRABLE", key.list())),
                Cover::Lower | Cover::Living => {}
            }
        }
        let indexes = self.keys.iter().filter_map(|key| match key.cover {
            Cover::Lower => Some(format!("CREATE UNIQUE INDEX ON {} (lower({}));\n", self.path(), key.list())),
            Cover::Living => {
                let living = ident(GONE);
                Some(format!("CREATE UNIQUE INDEX ON {} ({}) WHERE {living} IS NULL;\n", self.path(), key.list()))
            }
            Cover::Primary | Cover::Unique | Cover::Deferrable => None,
        });
        let indexes: String = indexes.collect();
        format!("CREATE TABLE {} (\n  {}\n);\n{indexes}", self.path(), parts.join(",\n  "))
    }

    fn constraint(&self, name: &str) -> String {
        let key = self.keys.iter().find(|key| key.columns.iter().any(|(column, _)| *column == name));
        if let Some(key) = key {
            return match key.made {
                Made::ByHand => " NOT NULL".to_owned(),
                Made::Always => " GENERATED ALWAYS AS IDENTITY".to_owned(),
                Made::ByDefault => " GENERATED BY DEFAULT AS IDENTITY".to_owned(),
            };
        }
        let reference = self.references.iter().find(|reference| reference.columns.iter().any(|column| column == name));
        if let Some(Reference { nullable, .. }) = reference {
            return if *nullable { "" } else { " NOT NULL" }.to_owned();
        }
        if let Some(Column { kind, nullable, default, .. }) = self.values.iter().find(|column| column.name == name) {
            let default = default.map(|tag| format!(" DEFAULT {}", kind.value(tag, false).sql)).unwrap_or_default();
            return if *nullable { default } else { format!("{default} NOT NULL") };
        }
        match name {
            FILLED => " NOT NULL".to_owned(),
            TOUCHED => format!(" NOT NULL DEFAULT '{UNTOUCHED}'"),
            GENERATED => {
                let of = self.values[self.generated.unwrap_or(0)].name;
                format!(" GENERATED ALWAYS AS (length({})) STORED", ident(of))
            }
            _ => String::new(),
        }
    }

    /// The columns that a row has, as SQL.
    fn seed(&self, row: &Row, tables: &[Table]) -> Vec<(String, String)> {
        let null = |name: &str| (name.to_owned(), "NULL".to_owned());
        let mut values: Vec<(String, String)> = Vec::new();
        for (key, tag) in self.keys.iter().zip(&row.keys) {
            values.extend(key.values(tag.unwrap_or(0), false));
        }
        for (reference, tag) in self.references.iter().zip(&row.references) {
            match tag {
                Some(tag) => values.extend(reference.values(*tag, false, tables)),
                None => values.extend(reference.columns.iter().map(|name| null(name))),
            }
        }
        for (column, tag) in self.values.iter().zip(&row.values) {
            let value = tag.map(|tag| column.kind.value(tag, false).sql);
            values.push((column.name.to_owned(), value.unwrap_or_else(|| "NULL".to_owned())));
        }
        values.extend(self.fills().then(|| (FILLED.to_owned(), "'seed'".to_owned())));
        values
    }

    fn fill(&self, tables: &[Table]) -> String {
        let mut out: String =
            self.seeds.iter().map(|row| insert(&self.path(), &self.seed(row, tables)) + ";\n").collect();
        // A row that was deleted softly has the key of one that lives.
        if let (true, Some(first)) = (self.has_living_key(), self.seeds.first()) {
            let mut row = first.clone();
            row.keys[0] = Some(BURIED);
            let mut values = self.seed(&row, tables);
            values.push((GONE.to_owned(), "'2020-01-01Z'".to_owned()));
            out.push_str(&(insert(&self.path(), &values) + ";\n"));
        }
        if self.keys[0].made != Made::ByHand {
            let id = ident(self.keys[0].columns[0].0);
            out.push_str(&format!("ALTER TABLE {} ALTER {id} RESTART WITH {MADE_FROM};\n", self.path()));
        }
        out
    }

    /// The name of a trigger's function, and of the trigger.
    pub fn function(&self, trigger: Trigger) -> String {
        let name = match trigger {
            Trigger::Fill { .. } => "fill",
            Trigger::Touch => "touch",
            Trigger::Rewrite(_) => "rewrite",
            Trigger::Audit => "audit",
        };
        format!("{name} {}", self.name)
    }

    fn add_trigger(&self, trigger: Trigger) -> String {
        let key = &self.keys[usize::from(self.keys[0].made != Made::ByHand)].columns[0].0;
        let (when, body) = match trigger {
            Trigger::Fill { always: false } => {
                let body = format!("IF NEW.{FILLED} IS NULL THEN NEW.{FILLED} := 'trigger'; END IF; RETURN NEW");
                ("BEFORE INSERT", body)
            }
            Trigger::Fill { always: true } => ("BEFORE INSERT", format!("NEW.{FILLED} := 'trigger'; RETURN NEW")),
            Trigger::Touch => ("BEFORE UPDATE", format!("NEW.{TOUCHED} := clock_timestamp(); RETURN NEW")),
            Trigger::Rewrite(column) => {
                let column = ident(self.values[column].name);
                ("BEFORE INSERT OR UPDATE", format!("NEW.{column} := upper(NEW.{column}); RETURN NEW"))
            }
            Trigger::Audit => {
                let what = |row: &str| format!("TG_OP || ' {} ' || {row}.{}::text", self.name, ident(key));
                let body = format!(
                    "IF TG_OP = 'DELETE' THEN INSERT INTO audit_log (what) VALUES ({}); \
                     ELSE INSERT INTO audit_log (what) VALUES ({}); END IF; RETURN NULL",
                    what("OLD"),
                    what("NEW")
                );
                ("AFTER INSERT OR UPDATE OR DELETE", body)
            }
        };
        let function = format!("public.{}", ident(&self.function(trigger)));
        format!(
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;\n\
             CREATE TRIGGER {} {when} ON {} FOR EACH ROW EXECUTE FUNCTION {function}();\n",
            ident(&self.function(trigger)),
            self.path()
        )
    }
}

impl Reference {
    /// Its columns with the values of a tag of the key that it refers to, as SQL.
    pub fn values(&self, tag: u8, odd: bool, tables: &[Table]) -> Vec<(String, String)> {
        let values = tables[self.to].keys[self.to_key].values(tag, odd);
        self.columns.iter().zip(values).map(|(name, (_, value))| (name.clone(), value)).collect()
    }

    pub fn name(&self, table: &Table) -> String {
        format!("{} of {}", self.columns.join(" and "), table.name)
    }

    /// The statement that adds it.
    pub fn add(&self, table: &Table, tables: &[Table]) -> String {
        let to = &tables[self.to];
        let on_delete = match self.on_delete {
            OnDelete::NoAction => "",
            OnDelete::Restrict => " ON DELETE RESTRICT",
            OnDelete::Cascade => " ON DELETE CASCADE",
            OnDelete::SetNull => " ON DELETE SET NULL",
        };
        let checked = match self.checked {
            Checked::AtOnce => "",
            Checked::Deferrable => " DEFERRABLE",
            Checked::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        };
        let columns = self.columns.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ");
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({columns}) REFERENCES {} ({}){on_delete}{checked}",
            table.path(),
            ident(&self.name(table)),
            to.path(),
            to.keys[self.to_key].list()
        )
    }
}

/// An `INSERT` that may give an identity its value.
pub fn insert(path: &str, values: &[(String, String)]) -> String {
    let columns = values.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", ");
    let values = values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO {path} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})")
}

impl Case {
    /// The statements that make the tables of the case.
    pub fn ddl(&self) -> String {
        let mut out = format!("CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY, what text);\n", audit_log());
        for table in &self.tables {
            out.push_str(&table.create(&self.tables));
        }
        for table in &self.tables {
            out.push_str(&table.fill(&self.tables));
        }
        for table in &self.tables {
            for reference in &table.references {
                out.push_str(&format!("{};\n", reference.add(table, &self.tables)));
            }
            for trigger in &table.triggers {
                out.push_str(&table.add_trigger(*trigger));
            }
        }
        out
    }
}
