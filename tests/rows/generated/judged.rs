//! One case: what Enact does, against what can be done.

use tokio_postgres::Client;

use super::super::engine::{Action, Applied, Engine, Stopped, findings, is_empty, lines, moved};
use super::ddl::ident;
use super::oracle::{Verdict, broken, judge};
use super::photo::{Photo, rows};
use super::schema::{Case, Made};
use super::stage::Stage;
use super::work::Work;

/// What became of a case, as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    /// Everything is as declared.
    Nothing,
    /// Refused by the plan, rightly.
    Refused,
    /// Refused by the plan although a cleverer program could do it.
    NotTried,
    /// The run went back because a value did not stick.
    WentBack,
}

/// What should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The same for problems of one kind.
    pub kind: &'static str,
    pub what: String,
}

impl Problem {
    /// Whether this is the other one, of a smaller case perhaps: of refusals the first code says what they are about.
    pub fn is_like(&self, other: &Problem) -> bool {
        let code =
            |problem: &Problem| problem.what.split(' ').next().filter(|word| word.starts_with('E')).map(str::to_owned);
        self.kind == other.kind && code(self) == code(other)
    }
}

fn problem<T>(kind: &'static str, what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { kind, what: what.into() })
}

/// The kind of a case that is none: its database cannot be made.
pub const NO_CASE: &str = "no case";

/// A case that was played.
pub struct Played {
    /// What PostgreSQL says of it.
    pub verdict: &'static str,
    pub done: Result<Outcome, Problem>,
}

/// Does everything with a case.
pub async fn check(stage: &Stage, case: &Case) -> Played {
    if case.plan.iter().all(|of| of.rows.is_empty()) {
        return Played { verdict: NO_CASE, done: problem(NO_CASE, "a plan without rows") };
    }
    if let Err(why) = stage.set(case).await {
        return Played { verdict: NO_CASE, done: problem(NO_CASE, why) };
    }
    let engine = Engine::open(&stage.conninfo).await;
    let sql = &stage.sql;
    let before = Photo::take(sql, case).await;
    let work = Work::of_plan(sql, case).await;
    let verdict = judge(sql, case, &work, &before).await;
    let name = verdict.name();
    let mut bench = Bench { case, engine, sql, before, work };
    let done = bench.forth(verdict).await;
    bench.engine.close().await;
    stage.clear(case).await;
    Played { verdict: name, done }
}

struct Bench<'a> {
    case: &'a Case,
    engine: Engine,
    sql: &'a Client,
    before: Photo,
    work: Work,
}

impl Bench<'_> {
    async fn forth(&mut self, verdict: Verdict) -> Result<Outcome, Problem> {
        let planned = self.engine.plan(&self.case.files()).await;
        let plan = match (planned, &verdict) {
            (Ok(plan), _) => plan,
            (Err(Stopped::Refused(found)), Verdict::Works(_) | Verdict::WorksInParts(_)) => {
                return problem("refused what works", found.join("; "));
            }
            (Err(Stopped::Refused(found)), Verdict::MayWork(_) | Verdict::DoesNotStick(_) | Verdict::Illegal(_)) => {
                if found.iter().any(|mistake| mistake.contains("at nowhere")) {
                    return problem("refused without a place", found.join("; "));
                }
                self.is_unchanged().await?;
                let is_illegal = !matches!(verdict, Verdict::MayWork(_));
                return Ok(if is_illegal { Outcome::Refused } else { Outcome::NotTried });
            }
            (Err(Stopped::Undone(why) | Stopped::Failed(why)), _) => return problem("failed while planning", why),
        };
        match verdict {
            Verdict::Illegal(why) => match self.engine.apply(plan).await {
                Ok(_) => problem("applied what cannot be", why),
                Err(stopped) => {
                    self.is_unchanged().await?;
                    problem("found out by the apply", format!("{why}; {stopped:?}"))
                }
            },
            Verdict::DoesNotStick(why) => match self.engine.apply(plan).await {
                Ok(_) => problem("applied what does not stick", why),
                Err(Stopped::Failed(failed)) => problem("failed what does not stick", failed),
                Err(_) => self.is_unchanged().await.map(|()| Outcome::WentBack),
            },
            Verdict::Works(end) => self.apply(plan, end, true).await,
            Verdict::WorksInParts(end) | Verdict::MayWork(end) => self.apply(plan, end, false).await,
        }
    }

    async fn is_unchanged(&self) -> Result<(), Problem> {
        let now = Photo::take(self.sql, self.case).await;
        let differ = now.difference(&self.before, self.case);
        if differ.is_empty() { Ok(()) } else { problem("changed although it was not applied", differ.join("\n")) }
    }

    async fn apply(&mut self, plan: enact::plan::SavedPlan, end: Photo, is_strict: bool) -> Result<Outcome, Problem> {
        self.says(&plan)?;
        if self.work.steps.is_empty() {
            return if is_empty(&plan) { Ok(Outcome::Nothing) } else { problem("does more than nothing", "") };
        }
        let told = findings(&plan);
        let applied = match self.engine.apply(plan).await {
            Ok(applied) => applied,
            Err(stopped) => {
                self.is_unchanged().await?;
                return problem("failed what works", format!("{stopped:?}"));
            }
        };
        let now = Photo::take(self.sql, self.case).await;
        let (mut one, mut two) = (now.plain(self.case), end.plain(self.case));
        if !is_strict {
            (one, two) = (one.untouched(self.case), two.untouched(self.case));
        }
        let differ = one.difference(&two, self.case);
        if !differ.is_empty() {
            return problem("another end", differ.join("\n"));
        }
        let lost = broken(self.sql, self.case, &self.work).await;
        if !lost.is_empty() {
            return problem("not as declared", lost.join("\n"));
        }
        match self.engine.plan(&self.case.files()).await {
            Ok(again) if is_empty(&again) => {}
            Ok(again) => return problem("not empty after the apply", format!("{:?}", lines(&again))),
            Err(stopped) => return problem("cannot be planned again", format!("{stopped:?}")),
        }
        let moved = moved(&mut self.engine).await;
        if !moved.is_empty() {
            return problem("not as it was written down", moved.join("\n"));
        }
        if told.is_empty() {
            self.sequences().await?;
        }
        self.back(applied, &now).await.map(|()| Outcome::Applied)
    }

    /// A plan names each row that it writes, and nothing of what stays.
    fn says(&self, plan: &enact::plan::SavedPlan) -> Result<(), Problem> {
        let mut said: Vec<(String, Action)> = lines(plan).into_iter().map(|line| (line.table, line.action)).collect();
        let mut wanted: Vec<(String, Action)> = self.work.steps.iter().map(|step| step.line(self.case)).collect();
        said.sort();
        wanted.sort();
        if said == wanted {
            return Ok(());
        }
        problem("says something else than it should", format!("{said:?} and not {wanted:?}"))
    }

    /// The next number that the database makes is free, where the plan does not say that it is not.
    async fn sequences(&self) -> Result<(), Problem> {
        for table in self.case.tables.iter().filter(|table| table.keys[0].made != Made::ByHand) {
            let id = table.keys[0].columns[0].0;
            let sequence = format!("pg_get_serial_sequence('{}', '{id}')", table.path().replace('\'', "''"));
            let query = format!(
                "SELECT max(t.{0}) >= (SELECT coalesce(s.last_value + s.increment_by, s.start_value) FROM pg_sequences s \
                 WHERE format('%I.%I', s.schemaname, s.sequencename) = {sequence}) FROM {1} t WHERE t.{0} >= 100",
                ident(id),
                table.path()
            );
            let answer = rows(self.sql, &query).await.expect("the numbers");
            if answer[0][0].as_deref() == Some("t") {
                return problem("the next number is taken", table.written());
            }
        }
        Ok(())
    }

    async fn back(&mut self, applied: Applied, after: &Photo) -> Result<(), Problem> {
        let work = self.work.back(self.case, &self.before, after);
        let verdict = judge(self.sql, self.case, &work, after).await;
        let plan = match (self.engine.plan_back(&applied).await, &verdict) {
            (Ok(plan), _) => plan,
            (Err(Stopped::Refused(found)), Verdict::Works(_) | Verdict::WorksInParts(_)) => {
                return problem("refused a revert that works", found.join("; "));
            }
            (Err(Stopped::Refused(_)), Verdict::MayWork(_) | Verdict::DoesNotStick(_) | Verdict::Illegal(_)) => {
                return Ok(());
            }
            (Err(stopped), _) => return problem("failed while planning a revert", format!("{stopped:?}")),
        };
        let told = findings(&plan);
        let is_done = self.engine.apply(plan).await;
        let now = Photo::take(self.sql, self.case).await;
        let end = match (&is_done, verdict) {
            (Ok(_), Verdict::Works(end) | Verdict::WorksInParts(end) | Verdict::MayWork(end)) => end,
            (Ok(_), Verdict::DoesNotStick(why) | Verdict::Illegal(why)) => {
                let is_said = !told.is_empty();
                return if is_said { Ok(()) } else { problem("reverted without a word what stays", why) };
            }
            (Err(Stopped::Undone(_)), Verdict::DoesNotStick(_)) => {
                let differ = now.difference(after, self.case);
                return if differ.is_empty() {
                    Ok(())
                } else {
                    problem("changed by a revert that went back", differ.join("\n"))
                };
            }
            (Err(stopped), _) => return problem("failed a revert", format!("{stopped:?}")),
        };
        let plain = |photo: &Photo| photo.plain(self.case).untouched(self.case);
        let (now, end, before) = (plain(&now), plain(&end), plain(&self.before));
        let from_before = now.difference(&before, self.case);
        let neither = from_before.iter().any(|line| {
            let place = line.split(": ").next().unwrap_or(line);
            now.difference(&end, self.case).iter().any(|other| other.starts_with(place))
        });
        match (neither, from_before.is_empty(), told.is_empty()) {
            (true, ..) => problem("reverted to another end", from_before.join("\n")),
            (false, false, true) => problem("says not what a revert leaves", from_before.join("\n")),
            (false, ..) => Ok(()),
        }
    }
}
