use crate::world::{Backend, World};
#[test]
fn playground() {
    let world = if std::env::var("ADOPTED").is_ok() {
        World::adopted(Backend::Postgres15)
    } else {
        World::start(Backend::Postgres15)
    };
    std::fs::write("/tmp/pg_world", format!("{}\n{}\n", world.path().display(), world.conninfo())).unwrap();
    while !std::path::Path::new("/tmp/pg_stop").exists() {
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
