//! Decisions from scopes that were read once.

use std::hint::black_box;

use usso_verify::scope::Scopes;

use super::race::Race;

/// Prints the table.
pub(super) fn run() {
    let granted: Vec<String> =
        (0..20).map(|number| format!("update:service{number}/files")).collect();
    let scopes = Scopes::parse(&granted);
    let ask =
        |path: &str, action: &str| scopes.check_access(black_box(path), black_box(action), &[]);
    assert!(ask("service19/files", "read") && !ask("service19/files", "delete"));
    let mut race = Race::default();
    race.add("read 20 scopes", || drop(Scopes::parse(black_box(&granted))));
    race.add("check_access, the first allows", || {
        black_box(ask("service0/files", "read"));
    });
    race.add("check_access, the last allows", || {
        black_box(ask("service19/files", "read"));
    });
    race.add("check_access, the action is too much", || {
        black_box(ask("service19/files", "delete"));
    });
    race.add("check_access, no path matches", || {
        black_box(ask("service20/files", "read"));
    });
    println!("\n{:<44} {:>10} {:>10}", "20 scopes", "median", "p10");
    for times in race.run() {
        println!("  {:<42} {:>7.1} ns {:>7.1} ns", times.name, times.median, times.p10);
    }
}
