//! What PostgreSQL itself says of a plan: its work done by hand in a transaction, which is rolled back.
//!
//! Three tries, each more than a program that goes one statement after another would have to find out:
//!
//! | try | when it comes through |
//! | --- | --- |
//! | each row in one statement, in whatever order goes, constraints deferred that can be | the plan must work |
//! | the same, references that may be NULL written last | the plan must work |
//! | all constraints away, and back at the end | the end is legal; the plan may work, or be refused |
//!
//! Where none does, the plan must be refused. Where a declared value is not there at the end because a trigger of the table has the
//! last word, the plan may be refused or its run go back.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::ddl::ident;
use super::photo::{Photo, Texts, rows};
use super::schema::{Case, Cover, OnDelete, Reference, Table, Trigger};
use super::work::{Check, Step, Verb, Work};

/// What has to come of a plan.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is applied, and this is in the tables then.
    Works(Photo),
    /// The same, and what triggers see on the way is not known.
    WorksInParts(Photo),
    /// It is refused, or applied, and this is in the tables then.
    MayWork(Photo),
    /// It is refused, or its run goes back.
    DoesNotStick(String),
    /// It is refused.
    Illegal(String),
}

impl Verdict {
    /// In a few words.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Works(_) => "work",
            Verdict::WorksInParts(_) => "work in parts",
            Verdict::MayWork(_) => "may work",
            Verdict::DoesNotStick(_) => "do not stick",
            Verdict::Illegal(_) => "are illegal",
        }
    }
}

/// Why a try did not come through.
enum Stuck {
    /// PostgreSQL refuses it.
    Refused(String),
    /// A trigger has the last word on this column.
    Rewritten(String),
}

/// Asks PostgreSQL. `before` is what is there.
pub async fn judge(client: &Client, case: &Case, work: &Work, before: &Photo) -> Verdict {
    let verdict = ask(client, case, work).await;
    let (Verdict::Works(end) | Verdict::WorksInParts(end)) = &verdict else { return verdict };
    let row = |photo: &Photo, (table, key): &(usize, Texts)| photo.tables[*table].get(key).cloned();
    if work.left_alone.iter().any(|place| row(end, place).is_none()) {
        return Verdict::Illegal("a declared row goes with another".to_owned());
    }
    let is_changed = work.left_alone.iter().any(|place| row(end, place) != row(before, place));
    if is_changed || work.is_doubtful { Verdict::MayWork(end.clone()) } else { verdict }
}

async fn ask(client: &Client, case: &Case, work: &Work) -> Verdict {
    if let Some(why) = &work.conflict {
        return Verdict::Illegal(why.clone());
    }
    match attempt(client, case, work, false).await {
        Ok(photo) => return Verdict::Works(photo),
        Err(Stuck::Rewritten(why)) => return Verdict::DoesNotStick(why),
        Err(Stuck::Refused(_)) => {}
    }
    match attempt(client, case, &work.split(case), false).await {
        Ok(photo) => return Verdict::WorksInParts(photo),
        Err(Stuck::Rewritten(why)) => return Verdict::DoesNotStick(why),
        Err(Stuck::Refused(_)) => {}
    }
    match attempt(client, case, work, true).await {
        Ok(photo) => Verdict::MayWork(photo),
        Err(Stuck::Rewritten(why)) => Verdict::DoesNotStick(why),
        Err(Stuck::Refused(why)) => Verdict::Illegal(why),
    }
}

/// What of a plan is not in the tables.
pub async fn broken(client: &Client, case: &Case, work: &Work) -> Vec<String> {
    let mut out = Vec::new();
    for check in &work.checks {
        out.extend(look(client, case, check).await);
    }
    out.into_iter().map(|(why, _)| why).collect()
}

async fn attempt(client: &Client, case: &Case, work: &Work, is_loose: bool) -> Result<Photo, Stuck> {
    client.batch_execute("BEGIN").await.expect("a transaction");
    let end = inside(client, case, work, is_loose).await;
    client.batch_execute("ROLLBACK").await.expect("the end of it");
    end
}

async fn inside(client: &Client, case: &Case, work: &Work, is_loose: bool) -> Result<Photo, Stuck> {
    if is_loose {
        loosen(client, case).await;
    }
    client.batch_execute("SET CONSTRAINTS ALL DEFERRED").await.expect("constraints wait");
    greedy(client, case, work).await?;
    if is_loose {
        fasten(client, case).await?;
    }
    client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.map_err(|error| refused(&error))?;
    let mut found = Vec::new();
    for check in &work.checks {
        found.extend(look(client, case, check).await);
    }
    let ours = found.iter().find(|(_, is_rewritten)| !is_rewritten);
    match (ours, found.first()) {
        (None, None) => Ok(Photo::take(client, case).await),
        (Some((why, _)), _) => Err(Stuck::Refused(why.clone())),
        (None, Some((why, _))) => Err(Stuck::Rewritten(why.clone())),
    }
}

fn refused(error: &tokio_postgres::Error) -> Stuck {
    Stuck::Refused(error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()))
}

/// Tries what is left until nothing moves. Rows go last, so that nothing goes with them that another statement saves.
async fn greedy(client: &Client, case: &Case, work: &Work) -> Result<(), Stuck> {
    let is_delete = |step: &&Step| matches!(step.verb, Verb::Delete(_));
    let (deletes, mut left): (Vec<&Step>, Vec<&Step>) = work.steps.iter().partition(is_delete);
    left.extend(deletes);
    while !left.is_empty() {
        let (mut stuck, mut why) = (Vec::new(), None);
        let all = left.len();
        for step in left {
            client.batch_execute("SAVEPOINT one").await.expect("a savepoint");
            match client.batch_execute(&step.sql(case)).await {
                Ok(()) => client.batch_execute("RELEASE one").await.expect("it is kept"),
                Err(error) => {
                    why = Some(if is_left_empty(case, step, &error) { hidden(&error) } else { refused(&error) });
                    client.batch_execute("ROLLBACK TO one").await.expect("it is taken back");
                    stuck.push(step);
                }
            }
        }
        match why {
            Some(why) if stuck.len() == all => return Err(why),
            Some(_) | None => left = stuck,
        }
    }
    Ok(())
}

/// Whether a column that nobody named has no value, where a trigger could have given it one: only the trigger knows.
fn is_left_empty(case: &Case, step: &Step, error: &tokio_postgres::Error) -> bool {
    let column = error.as_db_error().filter(|_| error.code() == Some(&SqlState::NOT_NULL_VIOLATION));
    let (Some(column), Verb::Insert(_, values)) = (column.and_then(|error| error.column()), &step.verb) else {
        return false;
    };
    let fills = |trigger: &Trigger| matches!(trigger, Trigger::Fill { .. } | Trigger::Rewrite(_));
    case.tables[step.table].triggers.iter().any(fills) && values.iter().all(|(name, _)| name != column)
}

fn hidden(error: &tokio_postgres::Error) -> Stuck {
    Stuck::Rewritten(error.to_string())
}

/// What does not hold, and whether a trigger is why.
async fn look(client: &Client, case: &Case, check: &Check) -> Option<(String, bool)> {
    let table = &case.tables[check.table];
    let place = format!("{} where {}", table.written(), check.condition);
    let holds = check.holds.as_deref().unwrap_or_default();
    let same = holds.iter().map(|(name, value)| format!("{} IS NOT DISTINCT FROM {value}", ident(name)));
    let query = format!(
        "SELECT {} FROM {} WHERE {}",
        std::iter::once("true".to_owned()).chain(same).collect::<Vec<_>>().join(", "),
        table.path(),
        check.condition
    );
    let found = rows(client, &query).await.expect("a look at a row");
    match (&check.holds, found.as_slice()) {
        (None, []) => None,
        (Some(_), [flags]) => {
            let rewritten: BTreeSet<&str> = table.rewritten().into_iter().collect();
            let wrong = |index: &usize| flags[index + 1].as_deref() != Some("t");
            let wrong: Vec<&str> = (0..holds.len()).filter(wrong).map(|index| holds[index].0.as_str()).collect();
            let is_rewritten = wrong.iter().all(|column| rewritten.contains(column));
            (!wrong.is_empty()).then(|| (format!("{place}: {} not as declared", wrong.join(", ")), is_rewritten))
        }
        (None, _) | (Some(_), _) => Some((format!("{place}: {} rows", found.len()), false)),
    }
}

/// Takes away what says no before the end: foreign keys, and what is unique beside the primary keys.
async fn loosen(client: &Client, case: &Case) {
    for table in &case.tables {
        for reference in &table.references {
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT {}", table.path(), ident(&reference.name(table)));
            client.batch_execute(&drop).await.expect("a foreign key goes");
        }
    }
    let query = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint \
                 WHERE contype = 'u' AND connamespace::regnamespace::text IN ('public', 'app', '\"v1.2\"') \
                 UNION ALL SELECT format('DROP INDEX %s', i.indexrelid::regclass) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
                 WHERE i.indisunique AND NOT i.indisprimary AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid) \
                 AND c.relnamespace::regnamespace::text IN ('public', 'app', '\"v1.2\"')";
    for statement in rows(client, query).await.expect("what is unique").into_iter().flatten().flatten() {
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// Puts it back, after what happens to rows whose parent is gone has happened.
async fn fasten(client: &Client, case: &Case) -> Result<(), Stuck> {
    // A row that goes may take others with it, through as many tables as there are.
    for _ in 0..case.tables.len() {
        for table in &case.tables {
            for reference in &table.references {
                follow(client, case, table, reference).await?;
            }
        }
    }
    for table in &case.tables {
        for key in table.keys.iter().filter(|key| key.cover != Cover::Primary) {
            let name = ident(key.columns[0].0);
            let columns = key.columns.iter().map(|(name, _)| ident(name)).collect::<Vec<_>>().join(", ");
            let (columns, when) = match key.cover {
                Cover::Lower => (format!("lower({name})"), String::new()),
                Cover::Living => (columns, format!(" WHERE {} IS NULL", ident(super::schema::GONE))),
                Cover::Primary | Cover::Unique | Cover::Deferrable => (columns, String::new()),
            };
            let index = format!("CREATE UNIQUE INDEX ON {} ({columns}){when}", table.path());
            client.batch_execute(&index).await.map_err(|error| refused(&error))?;
        }
    }
    for table in &case.tables {
        for reference in &table.references {
            let add = reference.add(table, &case.tables);
            client.batch_execute(&add).await.map_err(|error| refused(&error))?;
        }
    }
    Ok(())
}

async fn follow(client: &Client, case: &Case, table: &Table, reference: &Reference) -> Result<(), Stuck> {
    let to = &case.tables[reference.to];
    let pairs = reference.columns.iter().zip(&to.keys[reference.to_key].columns);
    let same = pairs.map(|(from, (to, _))| format!("p.{} = c.{}", ident(to), ident(from))).collect::<Vec<_>>();
    let given = reference.columns.iter().map(|name| format!("c.{} IS NOT NULL", ident(name))).collect::<Vec<_>>();
    let lost =
        format!("{} AND NOT EXISTS (SELECT FROM {} p WHERE {})", given.join(" AND "), to.path(), same.join(" AND "));
    let statement = match reference.on_delete {
        OnDelete::NoAction | OnDelete::Restrict => return Ok(()),
        OnDelete::Cascade => format!("DELETE FROM {} c WHERE {lost}", table.path()),
        OnDelete::SetNull => {
            let set = reference.columns.iter().map(|name| format!("{} = NULL", ident(name))).collect::<Vec<_>>();
            format!("UPDATE {} c SET {} WHERE {lost}", table.path(), set.join(", "))
        }
    };
    client.batch_execute(&statement).await.map_err(|error| refused(&error))
}
