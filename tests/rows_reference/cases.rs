//! Cases of rows: folders with a schema, plan files, data files, and what comes of them.
//!
//! ```text
//! tests/cases/rows/<fact>/schema.sql      run before
//!                         *.yaml, *.csv   the folder plans/ of the project
//!                         expected.txt    commands and what they answer
//! ```

use std::path::{Path, PathBuf};

use crate::rows_reference::Script;
use crate::rows_reference::page::transcript;
use crate::rows_reference::servers::Servers;
use crate::rows_reference::stage::Stage;

/// A case is small enough to read.
const LINES: usize = 60;

pub struct Case {
    name: String,
    folder: PathBuf,
    expected: String,
}

impl Case {
    pub fn into_script(self) -> Script {
        Script { name: self.name, file: self.folder.join("expected.txt"), expected: self.expected }
    }
}

/// The cases of a folder, by name.
pub fn all(folder: &Path) -> Vec<Case> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let case = |folder: PathBuf| Case {
        name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
        expected: text(&folder.join("expected.txt")),
        folder,
    };
    folders.into_iter().map(case).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Plays a case and gives its transcript with the answers as they came.
pub fn play(servers: &Servers, number: usize, case: &Case) -> String {
    let mut stage = Stage::new(servers, &format!("case_{number}"));
    for entry in std::fs::read_dir(&case.folder).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) = (path.file_name().unwrap().to_str().unwrap().to_owned(), text(&path));
        assert!(text.lines().count() < LINES, "{} of {} is too long to read", name, case.name);
        match name.as_str() {
            "expected.txt" => {}
            "schema.sql" => drop(stage.sql(&text)),
            _ => stage.write(&format!("plans/{name}"), &text),
        }
    }
    transcript(&mut stage, &case.expected.lines().collect::<Vec<_>>())
}

/// Rows that refer to each other, the last ones first, from a data file.
pub fn twenty_thousand(servers: &Servers) {
    let mut stage = Stage::new(servers, "tree");
    stage.sql("CREATE TABLE public.tree (id int PRIMARY KEY, parent int REFERENCES public.tree, name text NOT NULL)");
    stage.write(
        "plans/tree.yaml",
        "enact: v1\nplan: tree\nrows:\n  public.tree: { from: tree.csv, key: [id], mode: sync }\n",
    );
    let line = |id: u32| match id {
        1 => "1,,root\n".to_owned(),
        _ => format!("{id},{},row {id}\n", id / 7 + u32::from(id < 7)),
    };
    let lines: String = (1..=20_000).rev().map(line).collect();
    stage.write("plans/tree.csv", &format!("id,parent,name\n{lines}"));
    let commands = ["$ enact apply --auto-approve", "$ rows", "$ enact plan"];
    let found = transcript(&mut stage, &commands);
    let expected = "$ enact apply --auto-approve\nApplied. PostgreSQL and Qdrant match the plan. Run [ID 1].\n$ rows\ntree\n  \
                    count | md5\n";
    assert!(found.starts_with(expected), "{found}");
    assert!(
        found.contains("\n  20000 | ")
            && found.ends_with("$ enact plan\nNo changes. PostgreSQL and Qdrant match the plan.\n")
    );
}

/// A domain whose check refuses at random: a batch may be refused whose rows pass one by one, and the other way round.
pub fn a_check_at_random(servers: &Servers) {
    let mut stage = Stage::new(servers, "at_random");
    stage.sql(
        "CREATE DOMAIN public.flaky AS text CHECK (random() < 0.5); CREATE TABLE public.t (k text PRIMARY KEY, v public.flaky)",
    );
    stage.write("plans/t.yaml", "enact: v1\nplan: t\nrows:\n  public.t:\n    - { key: { k: a }, values: { v: x } }\n");
    for _ in 0..25 {
        let found = stage.command("enact plan");
        let refused = found.starts_with("? 3\nerror[E049]")
            && found
                .contains("value for domain flaky violates check constraint \"flaky_check\"\n --> plans/t.yaml:5:37\n")
            && found.ends_with("Invalid input. Nothing was changed.\n");
        assert!(refused || found == PLANNED, "{found}");
    }
}

const PLANNED: &str = "Plan: 1 to add, 0 to change, 0 to destroy.\n\nRows of public.t: 1 row to create\n  \
                       + create row.public.t[k=a]  at plans/t.yaml:5:7\n      why: declared and not there\n      \
                       k = \"a\"\n      v = \"x\"\n";
