//! How long plan and apply take over 100, 1,000 and 10,000 units, as a Markdown table.
//!
//! ```text
//! cargo bench --bench scale              all three sizes
//! cargo bench --bench scale -- 100 500   sizes of your own
//! ```
//!
//! A second table has the saved plan: its size, and how fast it is written and read (digest, points and steps derived) in this
//! process, the best of three.
//!
//! Each size is a project of its own on fresh embedded stores, with the `documents` binding and one text of about 600
//! characters for each unit. The stores run in this process; every figure is the wall-clock time of one run of the
//! `enact` binary as a user would run it, so its start and its connections are included. One run each, no mean: the
//! table is for orders of magnitude and for seeing what grows faster than the number of units.

#[path = "../tests/support/project.rs"]
mod project;
mod texts;

use std::time::{Duration, Instant};

use enact::local::schema;
use enact::plan::SavedPlan;
use project::Project;
use texts::{PART, PLAN, ROWS};

const SIZES: [u32; 3] = [100, 1_000, 10_000];

const CONFIG: &str = "enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n    binding: documents\n    embedders: { default: { kind: static } }\n    actor: bench\n";

/// One line of the table.
struct Row {
    units: u32,
    points: String,
    times: [Duration; 5],
    file: PlanFile,
}

/// A saved plan.
struct PlanFile {
    bytes: usize,
    write: Duration,
    read: Duration,
}

fn main() {
    // Cargo adds `--bench`; everything that is a number is a size.
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { SIZES.to_vec() } else { asked };
    println!("| units | points | plan | apply | plan again | plan one edit | apply one edit |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut files = Vec::new();
    for units in sizes {
        let Row { units, points, times, file } = measure(units);
        let times = times.map(|time| format!("{:.2} s", time.as_secs_f64())).join(" | ");
        println!("| {} | {points} | {times} |", grouped(&units.to_string()));
        files.push((units, file));
    }
    println!("\n| units | saved plan | bytes a unit | written | read |");
    println!("| ---: | ---: | ---: | ---: | ---: |");
    for (units, PlanFile { bytes, write, read }) in files {
        let rate = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
        println!(
            "| {} | {:.1} MB | {} | {:.0} MB/s | {:.0} MB/s |",
            grouped(&units.to_string()),
            bytes as f64 / 1e6,
            bytes / units.max(1) as usize,
            rate(write),
            rate(read)
        );
    }
}

fn plan_file(project: &Project) -> PlanFile {
    let text = std::fs::read_to_string(project.path().join("plan.json")).expect("the saved plan");
    let best = |work: &dyn Fn()| {
        let times = (0..3).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let plan = SavedPlan::from_text(&text).expect("a plan");
    assert_eq!(plan.to_text(), text);
    PlanFile {
        bytes: text.len(),
        write: best(&|| plan.write(&mut std::io::sink()).expect("nothing to fail")),
        read: best(&|| drop(SavedPlan::from_text(&text).expect("a plan"))),
    }
}

fn measure(units: u32) -> Row {
    let project = Project::start(CONFIG);
    project.write("plans/scale.yaml", PLAN);
    project.sql(schema::documents_sql().1);
    project.sql(PART);
    project.sql(&ROWS.replace("{units}", &units.to_string()));
    project.ok(&["init"]);
    let (plan, text) = timed(&project, &["plan", "--out", "plan.json"]);
    assert!(text.contains(&format!("{} to promote", grouped(&units.to_string()))), "{text}");
    let points = embedded(&text).to_owned();
    let file = plan_file(&project);
    let (apply, _) = timed(&project, &["apply", "plan.json", "--auto-approve"]);
    let (again, text) = timed(&project, &["plan", "--detailed-exitcode"]);
    assert!(text.contains("No changes."), "{text}");
    project.sql("UPDATE documents SET body = body || ' And one sentence more.' WHERE slug = 'text/000042'");
    let (plan_edit, text) = timed(&project, &["plan", "--out", "edit.json"]);
    assert_eq!(embedded(&text), "1", "{text}");
    let (apply_edit, _) = timed(&project, &["apply", "edit.json", "--auto-approve"]);
    Row { units, points, times: [plan, apply, again, plan_edit, apply_edit], file }
}

fn timed(project: &Project, arguments: &[&str]) -> (Duration, String) {
    let start = Instant::now();
    let text = project.ok(arguments);
    (start.elapsed(), text)
}

/// What stands before "to embed" in a plan's summary.
fn embedded(text: &str) -> &str {
    let after = text.split_once("Vectors: ").map_or("0", |(_, after)| after);
    after.split(' ').next().unwrap_or_default()
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}
