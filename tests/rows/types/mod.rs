//! Every column type comes back as it was written, however it was spelled.
//!
//! A table for each type of `table`, with one row. What an author may write for it: several spellings of one value, another
//! value, and NULL.
//!
//! | plan says | plan | then the database holds |
//! | --- | --- | --- |
//! | the first spelling | one row to create | the value as the database spells it |
//! | the first spelling, and each other | nothing | |
//! | another value | one update, of that column | another text |
//! | NULL | one update | NULL |
//! | the last spelling | one update | the value |
//!
//! After each apply the same plan is empty. All types of a version go in one plan, which takes a second; where that fails, each goes
//! alone, so that every type that fails is named with its own reason.

mod table;

use tokio_postgres::Client;

use super::base::{Server, Version, client, forget};
use super::engine::{Action, Engine, Line, Stopped, is_empty, lines};

use table::{EXTENSIONS, PREPARATION, Type, types};

/// Checks all types that a version has.
pub async fn check(major: u32) {
    let mut server = Server::start(Version::Major(major)).await;
    let all: Vec<(usize, Type)> = types().into_iter().filter(|of| of.since <= major).enumerate().collect();
    assert!(all.len() > 70, "{} types", all.len());
    let mut zoo = Zoo::open(&mut server, &all).await;
    let Err(together) = zoo.round().await else { return };
    let mut problems = Vec::new();
    for one in &all {
        zoo.clear().await;
        zoo.types = std::slice::from_ref(one);
        if let Err(problem) = zoo.round().await {
            problems.push(format!("{}: {problem}", one.1.name));
        }
    }
    let (bad, all) = (problems.len(), all.len());
    assert!(bad > 0, "PostgreSQL {major}: each type alone comes back, and all together do not: {together}");
    panic!("PostgreSQL {major}: {bad} of {all} types do not come back\n  {}", problems.join("\n  "));
}

/// A database with a table for each of some types, by number.
struct Zoo<'a> {
    types: &'a [(usize, Type)],
    engine: Engine,
    sql: Client,
    clear: String,
}

impl<'a> Zoo<'a> {
    async fn open(server: &mut Server, types: &'a [(usize, Type)]) -> Zoo<'a> {
        let name = server.database().await;
        let sql = client(&server.conninfo(&name)).await;
        sql.batch_execute(EXTENSIONS).await.expect("the extensions, which each package has");
        sql.batch_execute(PREPARATION).await.expect("types of the author");
        let mut clear = forget(&sql).await;
        for (number, of) in types {
            let table = format!("CREATE TABLE public.type_{number} (id int PRIMARY KEY, v {})", of.column);
            sql.batch_execute(&table).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
            clear.push_str(&format!("; DELETE FROM public.type_{number}"));
        }
        Zoo { types, engine: Engine::open(&server.conninfo(&name)).await, sql, clear }
    }

    async fn clear(&self) {
        self.sql.batch_execute(&self.clear).await.expect("empty tables");
    }

    async fn round(&mut self) -> Result<(), String> {
        self.apply("the first spelling", |of| of.same[0], &Action::Create).await?;
        self.holds(|of| Some(of.stored)).await?;
        let spellings = self.types.iter().map(|(_, of)| of.same.len()).max().unwrap_or(0);
        for spelling in 1..spellings {
            self.is_empty(|of| of.same.get(spelling).unwrap_or(&of.same[0])).await?;
        }
        let update = Action::Update(vec!["v".to_owned()]);
        self.apply("another value", |of| of.other, &update).await?;
        self.differs().await?;
        self.apply("NULL", |_| "null", &update).await?;
        self.holds(|_| None).await?;
        self.apply("back", |of| of.same[of.same.len() - 1], &update).await?;
        self.is_empty(|of| of.same[0]).await
    }

    fn files(&self, value: impl Fn(&Type) -> &str) -> Vec<(String, String)> {
        let rows = self.types.iter().map(|(number, of)| {
            format!("  public.type_{number}:\n    - key: {{ id: 1 }}\n      values:\n        v: {}\n", value(of))
        });
        vec![("plan.yaml".to_owned(), format!("enact: v1\nplan: zoo\nrows:\n{}", rows.collect::<String>()))]
    }

    /// Plans, which has to do this to each row, applies, and plans again, which has to do nothing.
    async fn apply(&mut self, what: &str, value: impl Fn(&Type) -> &str, each: &Action) -> Result<(), String> {
        let files = self.files(&value);
        let plan = self.engine.plan(&files).await.map_err(|stopped| format!("plan of {what}: {}", said(&stopped)))?;
        let planned = lines(&plan);
        if planned.len() != self.types.len() || planned.iter().any(|line| line.action != *each) {
            return Err(format!("{what}: {each:?} of each row was expected, not {}", shown(&planned)));
        }
        self.engine.apply(plan).await.map_err(|stopped| format!("apply of {what}: {}", said(&stopped)))?;
        self.is_empty(value).await.map_err(|problem| format!("after the apply of {what}: {problem}"))
    }

    async fn is_empty(&mut self, value: impl Fn(&Type) -> &str) -> Result<(), String> {
        let files = self.files(value);
        let plan = self.engine.plan(&files).await.map_err(|stopped| said(&stopped))?;
        if is_empty(&plan) {
            return Ok(());
        }
        let written: Vec<&str> = files[0].1.lines().filter_map(|line| line.strip_prefix("        v: ")).collect();
        let written = if written.len() == 1 { written[0] } else { "each value" };
        Err(format!("{written} should be no change, and is {}", shown(&lines(&plan))))
    }

    async fn texts(&self) -> Vec<Option<String>> {
        let mut out = Vec::new();
        for (number, of) in self.types {
            let query = format!("SELECT {} FROM public.type_{number} WHERE id = 1", of.read);
            out.push(self.sql.query_one(&query, &[]).await.expect("one row").get(0));
        }
        out
    }

    async fn holds(&self, value: impl Fn(&Type) -> Option<&'static str>) -> Result<(), String> {
        for ((_, of), found) in self.types.iter().zip(self.texts().await) {
            let wanted = value(of);
            if found.as_deref() != wanted {
                return Err(format!("{}: the database holds {found:?} and not {wanted:?}", of.name));
            }
        }
        Ok(())
    }

    async fn differs(&self) -> Result<(), String> {
        let texts = self.texts().await;
        let same = self.types.iter().zip(texts).find(|((_, of), found)| found.as_deref() == Some(of.stored));
        same.map_or(Ok(()), |((_, of), _)| Err(format!("{}: the database still holds {:?}", of.name, of.stored)))
    }
}

fn said(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Refused(found) => format!("refused: {}", found.join("; ")),
        Stopped::Undone(why) => format!("undone: {why}"),
        Stopped::Failed(why) => format!("FAILED: {why}"),
    }
}

fn shown(lines: &[Line]) -> String {
    let first = lines.iter().take(3).map(|line| format!("{:?} of {}", line.action, line.address));
    format!("{} changes: {}", lines.len(), first.collect::<Vec<_>>().join(", "))
}
