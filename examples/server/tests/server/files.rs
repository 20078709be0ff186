//! The database and its master key belong together.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::process::{ADMIN, PASSWORD, Place};

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777
}

/// A folder in which a server has run.
fn used() -> Place {
    let place = Place::with_password();
    let mut server = place.start();
    server.terminate();
    assert!(server.wait().success());
    place
}

fn remove_database(place: &Place) {
    fs::remove_file(place.path("usso.db")).unwrap();
    for beside in ["usso.db-wal", "usso.db-shm"] {
        drop(fs::remove_file(place.path(beside)));
    }
}

fn assert_refused(place: &Place, parts: &[&str]) {
    let (code, said) = place.refusal(&[]);
    assert_eq!(code, 1, "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("usso-server: "), "{said}");
    for part in parts {
        assert!(last.contains(part), "{part} in {last}");
    }
}

#[test]
fn database_and_master_key_are_for_their_owner_only() {
    let place = used();
    assert_eq!(mode(&place, "usso.db"), 0o600);
    assert_eq!(mode(&place, "usso.db.key"), 0o600);
}

#[test]
fn a_key_without_a_database_is_taken_for_a_new_one() {
    let place = used();
    let key = fs::read(place.path("usso.db.key")).unwrap();
    remove_database(&place);
    place.start().admin_token();
    assert_eq!(fs::read(place.path("usso.db.key")).unwrap(), key);
}

#[test]
fn a_database_without_its_key_is_refused_and_nothing_is_made() {
    let place = used();
    fs::rename(place.path("usso.db.key"), place.path("away")).unwrap();
    assert_refused(&place, &["usso.db.key is missing", "USSO_MASTER_KEY"]);
    assert!(!place.path("usso.db.key").exists());
    fs::rename(place.path("away"), place.path("usso.db.key")).unwrap();
    place.start().admin_token();
}

#[test]
fn another_master_key_is_refused() {
    let mut place = used();
    place.set("USSO_MASTER_KEY", &"ab".repeat(32));
    assert_refused(&place, &["the master key does not open"]);
}

#[test]
fn a_master_key_can_be_replaced() {
    let mut place = used();
    let first = fs::read_to_string(place.path("usso.db.key")).unwrap();
    place.set("USSO_MASTER_KEY", &"ab".repeat(32));
    place.set("USSO_MASTER_KEY_PREVIOUS", first.trim());
    place.start().admin_token();
    place.unset("USSO_MASTER_KEY_PREVIOUS");
    place.start().admin_token();
}

#[test]
fn after_a_stop_the_main_file_alone_is_a_backup() {
    let place = Place::with_password();
    let mut server = place.start();
    let session = server.client().sign_in(ADMIN, PASSWORD).text("refresh_token");
    server.terminate();
    assert!(server.wait().success());
    let backup = Place::with_password();
    for name in ["usso.db", "usso.db.key"] {
        fs::copy(place.path(name), backup.path(name)).unwrap();
    }
    assert_eq!(backup.start().client().refresh(&session).status, 200);
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let place = used();
    let path = place.path("usso.db.key");
    for mode in [0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_refused(&place, &["chmod 600", "usso.db.key"]);
    }
}

#[test]
fn a_key_file_without_a_key_is_refused() {
    let place = used();
    fs::write(place.path("usso.db.key"), "").unwrap();
    assert_refused(&place, &["usso.db.key", "32 bytes"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let place = used();
    let database = rusqlite::Connection::open(place.path("usso.db")).unwrap();
    let newer = "INSERT INTO usso_migration (version, name, checksum) VALUES (999, 'newer', 'x')";
    database.execute(newer, ()).unwrap();
    drop(database);
    assert_refused(&place, &["usso.db", "migration 999", "newer"]);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = used();
    remove_database(&place);
    fs::write(place.path("usso.db"), "no database".repeat(1000)).unwrap();
    assert_refused(&place, &["usso.db"]);
}

#[test]
fn secrets_do_not_lie_in_the_files() {
    let place = Place::with_password();
    let server = place.start();
    let refresh = server.client().sign_in("admin@localhost", PASSWORD).text("refresh_token");
    for name in ["usso.db", "usso.db-wal", "log"] {
        let bytes = fs::read(place.path(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PASSWORD), "{name}");
        assert!(!text.contains(&refresh[16..]), "{name}");
    }
}
