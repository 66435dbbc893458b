//! One database and one project folder: files are written, statements run, commands answered.
//!
//! | command | does |
//! | --- | --- |
//! | `enact …` | runs the binary; of `apply` only what it says after the plan; `$RUN` is the last run that was named |
//! | `rows` | shows every table of the author, sorted; of one with many rows their number and a digest |
//! | `sql …` | runs a statement as the owner |
//!
//! An answer is the exit code where it is not 0, stdout, then stderr. Progress is left out (`--quiet`), ids and times are
//! masked.

use std::collections::BTreeMap;

use crate::rows_reference::servers::{self, OWNER, Servers};
use crate::rows_reference::view::{self, closed};
use crate::transcripts::mask::{is_uuid, masked};

/// Rows of a table that are shown one by one.
const SHOWN: &str = "12";

pub struct Stage<'s> {
    servers: &'s Servers,
    database: String,
    folder: tempfile::TempDir,
    run: String,
    /// Ids in the order in which they were shown, so that two are told apart.
    seen: BTreeMap<String, usize>,
}

impl<'s> Stage<'s> {
    pub fn new(servers: &'s Servers, database: &str) -> Stage<'s> {
        servers.create_database(database);
        let folder = tempfile::tempdir().expect("a project folder");
        std::fs::create_dir(folder.path().join("plans")).expect("plans/");
        servers.write_config(folder.path(), OWNER, database);
        let (run, seen) = (String::new(), BTreeMap::new());
        Stage { servers, database: database.to_owned(), folder, run, seen }
    }

    /// Connects as another role from now on. It may use Enact's own schema, as an operator may.
    pub fn connect_as(&self, role: &str) {
        self.sql(&format!(
            "GRANT USAGE ON SCHEMA enact TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA enact TO {role}; \
             GRANT ALL ON ALL SEQUENCES IN SCHEMA enact TO {role}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA enact TO {role}; \
             GRANT SELECT ON public.documents TO {role}"
        ));
        self.servers.write_config(self.folder.path(), role, &self.database);
    }

    /// Writes a file of the project.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs statements as the owner; the last answer as a table.
    pub fn sql(&self, script: &str) -> String {
        self.servers.run(&self.database, script)
    }

    /// Runs a command and gives its answer, masked.
    pub fn command(&mut self, line: &str) -> String {
        let line = line.replace("$RUN", &self.run);
        let answer = match line.split_once(' ') {
            Some(("enact", arguments)) => self.enact(arguments),
            Some(("sql", statement)) => self.sql(statement),
            None if line == "rows" => self.rows(),
            Some(_) | None => panic!("{}: {line:?} is no command", self.database),
        };
        closed(&masked(&answer.replace(&self.folder.path().display().to_string(), "[DIR]"), &mut self.seen))
    }

    fn enact(&mut self, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split_whitespace().map(|word| word.trim_matches('\'')).collect();
        let output = servers::enact(self.folder.path())
            .args(&words)
            .args(["--quiet", "--no-color", "--no-input"])
            .output()
            .expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let all = format!("{stdout}{stderr}");
        if let Some(run) = all.split("Run ").skip(1).filter_map(|rest| rest.get(..36)).filter(|id| is_uuid(id)).last() {
            run.clone_into(&mut self.run);
        }
        let shown = if words[0] == "apply" { view::end_of_apply(&stdout) } else { view::plan(&stdout) };
        let code = match output.status.code() {
            Some(0) => String::new(),
            code => format!("? {}\n", code.unwrap_or(-1)),
        };
        format!("{code}{}{stderr}", closed(&shown))
    }

    fn rows(&self) -> String {
        let names = self.servers.run(
            &self.database,
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('enact', 'information_schema') \
             AND n.nspname NOT LIKE 'pg\\_%' AND c.oid IS DISTINCT FROM pg_catalog.to_regclass('public.documents') ORDER BY c.oid::regclass::text",
        );
        let table = |name: &str| {
            let count = self.sql(&format!("SELECT count(*) > {SHOWN} FROM {name}"));
            let query = match count.lines().nth(1) {
                Some("t") => format!("SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t"),
                Some(_) | None => format!("SELECT * FROM {name} t ORDER BY t::text"),
            };
            let indented = self.sql(&query).lines().map(|line| format!("  {line}\n")).collect::<String>();
            format!("{name}\n{indented}")
        };
        names.lines().skip(1).map(table).collect()
    }
}
