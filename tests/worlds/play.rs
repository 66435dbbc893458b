//! Plays a world: each act on the model and on the real one, and after each what Enact says of it against the oracle.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::acts::{Act, Deed};
use super::known::{Known, Seen, known};
use super::oracle::{Action, Plan, Resource, Verdict, Why, applied, judge};
use super::stage::{Said, Stage, foreign};
use super::stale::{Expected, staleness};
use super::words::{body_text, paragraph, slug_text, title_text, write_doc};
use super::world::{Foreign, Live, Point, Project, State, World};

/// Where the product and the oracle say different things: a world ends there.
#[derive(Debug, Clone)]
pub struct Problem {
    pub kind: String,
    pub what: String,
    /// Where it is known.
    pub known: Option<Known>,
}

/// A world that is played.
pub struct Play<'a> {
    stage: &'a Stage,
    world: World,
    /// The world before the newest run of the main project, where nothing has happened since.
    before: Option<(World, String)>,
    late: Option<(Project, World, bool)>,
    /// What was done, for people.
    pub story: Vec<String>,
    pub applies: u32,
    pub stale: u32,
}

type Played = Result<(), Problem>;

fn problem<T>(kind: impl Into<String>, what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { kind: kind.into(), what: what.into(), known: None })
}

impl<'a> Play<'a> {
    /// Makes the start real: tables, documents, files.
    pub fn start(stage: &'a Stage, world: World) -> Play<'a> {
        let mut play = Play { stage, world, before: None, late: None, story: Vec::new(), applies: 0, stale: 0 };
        let live = play.world.live.clone();
        live.docs.iter().for_each(|(id, doc)| play.told_sql(write_doc(*id, doc)));
        live.tables.iter().for_each(|((table, key), row)| play.told_sql(table.write(*key, row)));
        for (id, value) in &live.frozen {
            play.told_sql(format!("INSERT INTO public.frozen VALUES ({id}, {value})"));
        }
        Project::ALL.into_iter().for_each(|project| play.files(project));
        play
    }

    fn told_sql(&mut self, sql: String) {
        self.stage.sql(&sql);
        self.story.push(format!("psql: {sql};"));
    }

    fn files(&mut self, project: Project) {
        let yaml = self.world.files(project).yaml(self.stage.prefix());
        self.stage.write(project, &yaml);
        self.story.push(format!("--- {}/plans/world.yaml\n{yaml}---", project.folder()));
    }

    /// Applies both projects, then does what is to be done.
    pub fn all(&mut self, acts: &[Act]) -> Played {
        self.apply(Project::Main)?;
        self.apply(Project::Wiki)?;
        self.check("after the first applies", &Project::ALL)?;
        for act in acts {
            let late = self.late.take();
            let before = self.world.clone();
            let Some(deed) = act.done(&mut self.world) else {
                (self.world, self.late) = (before, late);
                continue;
            };
            let of = match &deed {
                Deed::Files(project) if late.is_none() => vec![*project],
                _ => Project::ALL.to_vec(),
            };
            self.deed(deed)?;
            if let Some((project, then, empty)) = late {
                self.apply_late(project, &then, empty)?;
            }
            self.check(&format!("after {act:?}"), &of)?;
        }
        self.apply(Project::Main)?;
        self.apply(Project::Wiki)?;
        self.check("after the last applies", &Project::ALL)
    }

    fn deed(&mut self, deed: Deed) -> Played {
        if !matches!(deed, Deed::Revert | Deed::Late(..)) {
            self.before = None;
        }
        match deed {
            Deed::Files(project) => self.files(project),
            Deed::Sql(sql) => self.told_sql(sql),
            Deed::Points(name, hand) => {
                self.story.push(format!("vector server: {} {hand:?}", self.stage.prefix().set(name)));
                self.stage.by_hand(name, hand);
            }
            Deed::Apply(project) => self.apply(project)?,
            Deed::Revert => self.revert()?,
            Deed::Late(project, also_empty) => {
                let Plan::Changes(changes) = self.verdict(project).plan else { return Ok(()) };
                let empty = changes.is_empty();
                if empty && !also_empty {
                    return Ok(());
                }
                let said = self.told(project, &["plan", "--out", "late.json"]);
                if said.code != 0 {
                    return problem(format!("a plan that is saved exits {}", said.code), told(&said));
                }
                self.late = Some((project, self.world.clone(), empty));
            }
        }
        Ok(())
    }

    fn told(&mut self, project: Project, arguments: &[&str]) -> Said {
        let said = self.stage.enact(project, arguments);
        self.story.push(format!("{}$ enact {} -> {}", project.folder(), arguments.join(" "), said.code));
        said
    }

    fn verdict(&self, project: Project) -> Verdict {
        judge(self.world.files(project), self.world.recorded(project), &self.world.live)
    }

    /// Applies a project's files, and looks whether all is as the oracle says afterwards.
    fn apply(&mut self, project: Project) -> Played {
        let (files, recorded) = (self.world.files(project), self.world.recorded(project));
        let after = applied(files, recorded, &self.world.live);
        let nothing = self.verdict(project).plan == Plan::Changes(BTreeMap::new());
        let before = self.world.clone();
        let said = self.told(project, &["apply", "--auto-approve"]);
        let Some((recorded, live)) = after else {
            let refused = said.code == 3;
            return if refused { Ok(()) } else { problem("apply of what is refused", told(&said)) };
        };
        if said.code != 0 {
            return problem(format!("apply exits {}", said.code), told(&said));
        }
        self.applies += 1;
        // Where there is nothing to do nothing is written down, and there is no run to go back from.
        if !nothing {
            self.world.live = live;
            self.world.recorded.insert(project, recorded);
            self.before = (project == Project::Main).then(|| (before, self.stage.last_run()));
        }
        self.same_live()?;
        let left: Vec<Resource> =
            self.verdict(project).differs.into_iter().filter(|resource| !self.may_be_left(project, resource)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            self.differs(project, "an apply leaves a difference", &left, format!("{left:?}"))
        }
    }

    /// Whether a difference is not for an apply to mend: a unit that is gone, points of others, and points that were written over
    /// without moving to another bucket.
    fn may_be_left(&self, project: Project, resource: &Resource) -> bool {
        match resource {
            Resource::Promotion(_) => true,
            Resource::Set(name) => {
                let live = &self.world.live.sets[name];
                let copied = live.foreign.values().any(|foreign| *foreign == Foreign::Copy);
                self.world.files(project).sets.contains_key(name)
                    && (copied || live.points.values().any(|(_, state)| *state != State::AsWritten))
            }
            Resource::Row(..) | Resource::Move(_) | Resource::Protection => false,
        }
    }

    /// Applies a plan that was saved before the last act.
    fn apply_late(&mut self, project: Project, then: &World, empty: bool) -> Played {
        let expected = staleness(project, then, &self.world);
        let said = self.told(project, &["apply", "late.json", "--auto-approve"]);
        self.before = None;
        if said.code == 4 {
            self.stale += 1;
            if expected == Expected::Fresh {
                return problem("a plan is stale and nothing that it stands on moved", told(&said));
            }
            return self.same_live();
        }
        if said.code != 0 {
            return problem(format!("apply of a saved plan exits {}", said.code), told(&said));
        }
        if let Expected::Stale(what) = expected {
            let of = if empty { "an empty saved plan" } else { "a saved plan" };
            let kind = format!("{of} is applied though {what} moved");
            return self.differs(project, &kind, &[], told(&said));
        }
        if empty {
            return self.same_live();
        }
        let world = &self.world;
        let after = applied(then.files(project), world.recorded(project), &world.live);
        let Some((recorded, live)) = after else { return problem("a saved plan of what is refused", told(&said)) };
        self.world.live = live;
        self.world.recorded.insert(project, recorded);
        self.same_live()
    }

    /// Goes back from the newest run, where nothing has happened since.
    fn revert(&mut self) -> Played {
        let Some((before, run)) = self.before.take() else { return Ok(()) };
        let said = self.told(Project::Main, &["revert", &run, "--out", "back.json"]);
        if said.code != 0 {
            return problem(format!("revert exits {}", said.code), told(&said));
        }
        let said = self.told(Project::Main, &["apply", "back.json", "--auto-approve"]);
        if said.code != 0 {
            return problem(format!("apply of a revert exits {}", said.code), told(&said));
        }
        self.world.live = before.live;
        self.world.recorded = before.recorded;
        let main = self.world.recorded.get_mut(&Project::Main);
        main.into_iter().flat_map(|main| main.sets.values_mut()).for_each(|set| set.selection = None);
        self.same_live()
    }

    /// What every command says now.
    fn check(&mut self, when: &str, of: &[Project]) -> Played {
        let mut running = Vec::new();
        for project in of.iter().copied() {
            let start = |arguments: &[&str]| self.stage.start(project, arguments);
            running.push((
                project,
                start(&["plan", "--detailed-exitcode", "--format", "json"]),
                start(&["verify", "--format", "json"]),
                start(&["drift", "--format", "json"]),
            ));
        }
        for (project, plan, verify, drift) in running {
            let (plan, verify, drift) = (plan(), verify(), drift());
            let verdict = self.verdict(project);
            let who = format!("{when}, {}", project.folder());
            self.check_plan(project, &who, &verdict, &plan)?;
            self.check_verify(project, &who, &verdict, (&verify, &drift))?;
        }
        Ok(())
    }

    /// Ends the world, as known where one of the things that differ is known to.
    fn differs(&self, project: Project, kind: &str, of: &[Resource], what: String) -> Played {
        let seen = Seen { files: self.world.files(project), recorded: self.world.recorded(project) };
        let known = match of {
            [] => known(kind, None, &seen),
            of => of.iter().find_map(|resource| known(kind, Some(resource), &seen)),
        };
        Err(Problem { kind: kind.to_owned(), what, known })
    }

    fn check_plan(&self, project: Project, who: &str, verdict: &Verdict, said: &Said) -> Played {
        let wanted = match &verdict.plan {
            Plan::Refused(codes) => {
                if said.code == 3 && codes.iter().any(|code| said.stderr.contains(code)) {
                    return Ok(());
                }
                return problem("a plan is not refused", format!("{who}: {codes:?}\n{}", told(said)));
            }
            Plan::Changes(changes) => changes,
        };
        let addresses: BTreeMap<String, Resource> =
            wanted.keys().map(|resource| (self.address(resource), resource.clone())).collect();
        let wanted: BTreeMap<String, String> =
            wanted.iter().map(|(resource, action)| (self.address(resource), action.line())).collect();
        if !matches!(said.code, 0 | 2) {
            return problem(format!("plan exits {}", said.code), format!("{who}: wanted {wanted:#?}\n{}", told(said)));
        }
        let found = changes(&said.stdout);
        let code = if found.is_empty() { 0 } else { 2 };
        if said.code != code {
            return problem("the exit code of a plan", told(said));
        }
        let all: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
        let differing: Vec<&String> =
            all.into_iter().filter(|address| wanted.get(*address) != found.get(*address)).collect();
        let Some(first) = differing.first() else { return Ok(()) };
        let word = |line: Option<&String>| masked(line.map_or("nothing", |line| line.as_str()));
        let kind = first.split(['.', '[']).next().unwrap_or_default();
        let kind = format!("plan of {kind}: {} instead of {}", word(found.get(*first)), word(wanted.get(*first)));
        let what = format!("{who}: of {differing:?}\nwanted {wanted:#?}\nfound {found:#?}");
        let resources: Vec<Resource> =
            differing.iter().filter_map(|address| addresses.get(*address).cloned()).collect();
        self.differs(project, &kind, &resources, what)
    }

    fn address(&self, resource: &Resource) -> String {
        let slug = |doc: u8| self.world.live.docs.get(&doc).map_or(99, |doc| doc.slug);
        self.stage.prefix().address(resource, slug)
    }

    fn check_verify(&self, project: Project, who: &str, verdict: &Verdict, (verify, drift): (&Said, &Said)) -> Played {
        let wanted: BTreeMap<String, &Resource> =
            verdict.differs.iter().map(|resource| (self.address(resource), resource)).collect();
        let found = failures(&verify.stdout);
        let names: BTreeSet<&String> = wanted.keys().collect();
        let both = || {
            format!(
                "{who}: wanted {names:#?}\nfound {found:#?}\nverify exits {}, drift {}\n{}",
                verify.code, drift.code, drift.stderr
            )
        };
        if verify.code != if found.is_empty() { 0 } else { 9 } {
            return problem("the exit code of verify", both());
        }
        let more = found.iter().find(|address| !wanted.contains_key(*address));
        let less = wanted.iter().find(|(address, _)| !found.contains(*address));
        let kind = |address: &str| address.split(['.', '[']).next().unwrap_or_default().to_owned();
        if let Some(more) = more {
            return self.differs(project, &format!("verify of {}: differs", kind(more)), &[], both());
        }
        if let Some((address, resource)) = less {
            return self.differs(
                project,
                &format!("verify of {}: holds", kind(address)),
                &[(*resource).clone()],
                both(),
            );
        }
        // What the files say cannot be judged where they are refused.
        let refused = matches!(verdict.plan, Plan::Refused(_)) && verify.code == 0;
        let code = if refused { 3 } else { verify.code };
        if drift.code != code {
            return problem(format!("drift exits {} instead of {code}", drift.code), both());
        }
        Ok(())
    }

    /// Whether the stores hold what the model holds.
    fn same_live(&mut self) -> Played {
        let live = self.stage.relational();
        let expected = Live { sets: BTreeMap::new(), ..self.world.live.clone() };
        if live != expected {
            return problem("rows and documents are others", format!("wanted {expected:#?}\nfound {live:#?}"));
        }
        for (name, set) in &self.world.live.sets {
            let Some((own, others)) = self.stage.points(*name) else {
                if set.there {
                    return problem("a collection is gone", format!("{name:?}"));
                }
                continue;
            };
            let foreign: BTreeSet<String> = set.foreign.keys().map(|number| foreign(*number).to_string()).collect();
            if others != foreign {
                return problem(
                    "points of others are others",
                    format!("{name:?}: wanted {foreign:#?}\nfound {others:#?}"),
                );
            }
            let whole = set.points.iter().filter(|(_, (_, state))| *state == State::AsWritten);
            for (place, (point, _)) in whole {
                let wanted = payload(point, place.1);
                if own.get(place) != Some(&wanted) {
                    let found = own.get(place);
                    return problem(
                        "a point is another one",
                        format!("{name:?} {place:?}: wanted {wanted}\nfound {found:?}"),
                    );
                }
            }
            if own.len() != set.points.len() {
                let wanted: Vec<_> = set.points.keys().collect();
                return problem("points of Enact", format!("{name:?}: wanted {wanted:?}\nfound {:?}", own.keys()));
            }
        }
        Ok(())
    }
}

/// What a point's payload should be, without Enact's own part.
fn payload(point: &Point, ordinal: u32) -> Value {
    let Point { recipe, slug, title, status, chunk } = point;
    let text = match chunk.as_slice() {
        [] => title_text(title.unwrap_or_default()),
        [one] => paragraph(*one),
        many => body_text(many),
    };
    let mut out = json!({ "slug": slug_text(*slug), "chunk_index": ordinal, "text": text });
    if recipe.payload_title {
        out["title"] = Value::from(title_text(title.unwrap_or_default()));
    }
    if let Some(status) = status {
        out["lifecycle"] = Value::from(status.word());
    }
    out
}

fn told(said: &Said) -> String {
    format!("exit {}\n{}\n{}", said.code, said.stdout, said.stderr)
}

/// Without numbers, so that problems of one kind have one name.
fn masked(line: &str) -> String {
    line.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

impl Action {
    fn line(&self) -> String {
        match self {
            Action::Create => "create".to_owned(),
            Action::Update(why) => format!("update, {}", why.word()),
            Action::Delete => "delete".to_owned(),
            Action::TakeOver => "take over".to_owned(),
            Action::Forget => "forget".to_owned(),
            Action::Points { written, deleted } => format!("points: {written} written, {deleted} deleted"),
            Action::Move => "move".to_owned(),
            Action::Guard => "guard".to_owned(),
        }
    }
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Why::ValuesDiffer => "values_differ",
            Why::FileChanged => "file_changed",
            Why::ChangedOutside => "changed_outside",
            Why::Conflict => "conflict",
        }
    }
}

/// What a plan's JSON says of each address.
fn changes(json: &str) -> BTreeMap<String, String> {
    let plan: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let line = |change: &Value| (sorted(change["address"].as_str().expect("an address")), action(change));
    plan["changes"].as_array().expect("changes").iter().map(line).collect()
}

fn action(change: &Value) -> String {
    let detail = &change["detail"];
    let Some((kind, of)) = detail.as_object().and_then(|kinds| kinds.iter().next()) else {
        return detail.as_str().unwrap_or_default().to_owned();
    };
    match kind.as_str() {
        "row" => match of["change"].as_object().and_then(|kinds| kinds.keys().next()).map(String::as_str) {
            Some("update") => format!("update, {}", change["reasons"][0].as_str().unwrap_or_default()),
            Some("take_over") => "take over".to_owned(),
            other => other.unwrap_or_default().to_owned(),
        },
        "vector_set" => {
            let units = of["units"].as_array().expect("units");
            let written = units.iter().flat_map(|unit| unit["chunks"].as_array().expect("chunks"));
            let written = written.filter(|chunk| chunk["source"] != "kept").count();
            let deleted: usize = units.iter().map(|unit| unit["delete"].as_array().map_or(0, Vec::len)).sum();
            format!("points: {written} written, {deleted} deleted")
        }
        "promotion" => "create".to_owned(),
        "lifecycle" => "move".to_owned(),
        other => other.to_owned(),
    }
}

/// Addresses that a verification names.
fn failures(json: &str) -> BTreeSet<String> {
    let report: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let mut out = BTreeSet::new();
    for check in report["checks"].as_array().expect("checks") {
        let (name, what) = (check["name"].as_str().unwrap_or_default(), &check["status"]["failed"]["what"]);
        let Some(what) = what.as_array() else { continue };
        let quoted = name.split('"').nth(1).unwrap_or_default();
        match name.split([' ', ':']).next() {
            Some("vector") => drop(out.insert(format!("vector_set.{quoted}"))),
            Some("protection") => drop(out.insert(format!("protect.{quoted}"))),
            Some("promotion") => drop(out.insert(format!("promotion.{quoted}"))),
            Some("rows") => out.extend(what.iter().filter_map(Value::as_str).map(row_named)),
            _ => drop(out.insert(name.to_owned())),
        }
    }
    out
}

/// `row.public.rates[code=1,region=eu]: value was …`.
fn row_named(line: &str) -> String {
    line.split_once(']').map_or_else(|| line.to_owned(), |(address, _)| sorted(&format!("{address}]")))
}

/// The columns of a row's key are named in the order of the file, or sorted.
fn sorted(address: &str) -> String {
    let Some((table, key)) = address.strip_suffix(']').and_then(|address| address.split_once('[')) else {
        return address.to_owned();
    };
    let mut columns: Vec<&str> = key.split(',').collect();
    columns.sort_unstable();
    format!("{table}[{}]", columns.join(","))
}
