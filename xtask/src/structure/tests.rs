//! Each rule catches a broken example and accepts a good one.

use super::*;

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, String)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    check(&files).iter().map(Finding::to_string).collect()
}

fn found_in(path: &str, text: &str) -> Vec<String> {
    found(&[(path, text)])
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_flow_using_another_flow_is_found_in_every_spelling() {
    for source in [
        "use crate::flow::otp;",
        "use crate::flow::otp::Config;",
        "use super::otp;",
        "use super::super::flow::otp::Config;",
        "use crate::flow::{password::Refused, otp};",
        "use crate::{kernel::id, flow::{otp as codes}};",
        "pub use super::otp::Config;",
        "pub(crate) use crate::flow::otp::*;",
        "use crate::flow;",
        "use super::*;",
        "use super as flows;",
        "fn f() { crate::flow::otp::send() }",
        "mod inner { fn f() { super::super::otp::send() } }",
        "#[cfg(feature = \"x\")] use super::otp;",
        "#[cfg(any(test, feature = \"testing\"))] use super::otp;",
    ] {
        assert_eq!(found_in("usso-core/src/flow/password.rs", source).len(), 1, "{source}");
        let folder =
            source.replace("super::", "super::super::").replace("super as", "super::super as");
        if !source.contains("super::super") {
            assert_eq!(
                found_in("usso-core/src/flow/password/start.rs", &folder).len(),
                1,
                "{folder}"
            );
        }
    }
}

#[test]
fn a_finding_names_file_line_and_path() {
    let found = found_in("usso-core/src/flow/password.rs", "//! a\n\nuse super::otp::Config;\n");
    let wanted =
        "usso-core/src/flow/password.rs:3: a flow must not use another flow: flow::otp::Config";
    assert_eq!(found, [wanted]);
}

#[test]
fn a_flow_may_use_itself_and_what_lies_below() {
    let source = "//! Unlike [`crate::flow::otp`].
        use crate::flow::password::start; use super::password; use self::start::Open;
        use crate::{Stop, kernel::{id, time::*}, session::open, access::decide};
        const HELP: &str = \"use crate::flow::otp;\"; // use super::otp;
        #[cfg(test)] mod tests { use super::*; use crate::flow::otp; }";
    assert_eq!(found_in("usso-core/src/flow/password.rs", source), NOTHING);
    assert_eq!(found_in("usso-core/src/flow/password/finish.rs", "use super::start;"), NOTHING);
    assert_eq!(found_in("usso-core/src/flow/mod.rs", "pub mod otp; use otp::Config;"), NOTHING);
}

#[test]
fn a_re_export_does_not_hide_another_flow() {
    let flow = ("usso-core/src/flow/password.rs", "use crate::Codes;");
    let lib = |text| ("usso-core/src/lib.rs", text);
    assert_eq!(found(&[flow, lib("pub use flow::otp::Codes;")]).len(), 1);
    assert_eq!(found(&[flow, lib("pub use crate::flow::otp as Codes;")]).len(), 1);
    assert_eq!(found(&[flow, lib("pub use kernel::Codes;")]), NOTHING);
    assert_eq!(found(&[lib("pub use flow::*;")]).len(), 1);
    let whole = ("usso-core/src/flow/password.rs", "use crate::*;");
    assert_eq!(found(&[whole, lib("pub use kernel::*;")]).len(), 1);
}

#[test]
fn lower_layers_must_not_use_upper_ones() {
    for (file, source) in [
        ("kernel/id.rs", "use crate::session::open;"),
        ("kernel/mod.rs", "use super::directory::User;"),
        ("store/sqlite.rs", "fn f() { crate::flow::otp::send() }"),
        ("store/mod.rs", "use crate::{kernel::id, access};"),
        ("directory/user.rs", "use crate::flow::password::Config;"),
        ("session/token.rs", "use super::super::flow::otp;"),
        ("access/role.rs", "pub use crate::flow::audit;"),
        ("kernel/id.rs", "use crate::*;"),
        ("kernel/id.rs", "use crate as root;"),
    ] {
        assert_eq!(found_in(&format!("usso-core/src/{file}"), source).len(), 1, "{file} {source}");
    }
}

#[test]
fn upper_layers_may_use_lower_ones() {
    for (file, source) in [
        ("kernel/id.rs", "use super::time; use crate::kernel::entropy::*;"),
        ("store/sqlite.rs", "use crate::kernel::id; pub(crate) fn session() {}"),
        ("directory/user.rs", "use crate::store::Store; use crate::access::role;"),
        ("session/token.rs", "use crate::directory::user;"),
        ("lib.rs", "pub mod flow; pub use flow::password::Password; use session::open;"),
    ] {
        assert_eq!(found_in(&format!("usso-core/src/{file}"), source), NOTHING, "{file} {source}");
    }
}

#[test]
fn manifests_are_part_of_the_check() {
    let manifest = ("usso-verify/Cargo.toml", "[dependencies]\nusso-core.workspace = true\n");
    assert_eq!(found(&[manifest]), ["usso-verify/Cargo.toml:1: must not depend on usso-core"]);
}

#[test]
fn ambient_time_and_randomness_are_found_outside_their_ports() {
    for source in ["std::time::SystemTime::now()", "Instant::now()", "use getrandom::fill;"] {
        for file in
            ["usso-verify/src/verify.rs", "usso-core/src/flow/otp.rs", "usso-axum/src/lib.rs"]
        {
            assert_eq!(found_in(file, source).len(), 1, "{file} {source}");
        }
        assert_eq!(found_in("usso-core/src/kernel/time.rs", source), NOTHING);
        assert_eq!(found_in("usso-core/src/kernel/entropy.rs", source), NOTHING);
    }
}

#[test]
fn test_code_may_read_the_clock() {
    let inline = "#[cfg(test)] mod tests { fn f() { Instant::now() } }";
    assert_eq!(found_in("usso-core/src/store/mod.rs", inline), NOTHING);
    let tests = ("usso-core/src/store/sqlite/races.rs", "fn f() { Instant::now() }");
    let parent = |text| ("usso-core/src/store/sqlite.rs", text);
    assert_eq!(found(&[tests, parent("#[cfg(test)]\nmod races;")]), NOTHING);
    assert_eq!(found(&[tests, parent("mod races;")]).len(), 1);
}
