//! Settings that are wrong stop the start, by name.

use std::{fs, process::Command};

use crate::process::Place;

#[test]
fn every_bad_setting_is_refused_by_name() {
    for (variable, value) in [
        ("USSO_LISTEN", "8000"),
        ("USSO_DATABASE_URL", "postgres://localhost/usso"),
        ("USSO_DATABASE_URL", "sqlite:"),
        ("USSO_DATABASE_MAX_BYTES", "1"),
        ("USSO_ISSUER", "https://sso.example.com/"),
        ("USSO_ADMIN", "not a name"),
        ("SYSTEM_PASSWORD", ""),
        ("USSO_MASTER_KEY", "c2hvcnQ"),
        ("USSO_MASTER_KEY_FILE", "not/there.key"),
        ("USSO_MASTER_KEY_PREVIOUS", "c2hvcnQ"),
        ("USSO_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("USSO_METRICS", "friends"),
        ("USSO_LOG", "usso=loud"),
        ("USSO_CONNECTIONS", "0"),
        ("USSO_HEADER_TIMEOUT_SECONDS", "0"),
        ("USSO_WRITE_TIMEOUT_SECONDS", "0"),
        ("USSO_WRITE_TIMEOUT_SECONDS", "3601"),
        ("USSO_HASHING_MEMORY_KIB", "7"),
        ("USSO_HASHING_ITERATIONS", "21"),
        ("USSO_HASHING_CONCURRENT", "0"),
        ("USSO_HASHING_WAITING", "-1"),
        ("USSO_LIMIT_ACCOUNT_AND_SOURCE", "0/5m"),
        ("USSO_LIMIT_ACCOUNT", "10"),
        ("USSO_LIMIT_SOURCE", "10/5d"),
        ("USSO_LIMIT_REGISTRATION", "10/25h"),
        ("USSO_AUDIT_RETENTION_DAYS", "0"),
        ("USSO_KEY_ROTATION_DAYS", "0.5"),
        ("USSO_LISTNE", "127.0.0.1:8000"),
    ] {
        let mut place = Place::new();
        place.set(variable, value);
        let (code, said) = place.refusal(&[]);
        assert_eq!(code, 2, "{variable}={value}: {said}");
        assert!(said.starts_with(&format!("usso-server: {variable}: ")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!place.path("usso.db").exists(), "{variable} came too late");
    }
}

#[test]
fn a_key_that_is_refused_is_not_repeated() {
    let mut place = Place::new();
    place.set("USSO_MASTER_KEY", "c2hvcnQ");
    assert!(!place.refusal(&[]).1.contains("c2hvcnQ"));
}

#[test]
fn unknown_fields_of_the_file_are_refused_by_name() {
    let place = Place::new();
    fs::write(place.path("usso.toml"), "[hashing]\nmemroy_kib = 8\n").unwrap();
    let (code, said) = place.refusal(&["--config", "usso.toml"]);
    assert_eq!(code, 2);
    assert!(said.starts_with("usso-server: hashing.memroy_kib: "), "{said}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut place = Place::with_password();
    let file = "issuer = 'https://file.example.com'\ndatabase_url = 'sqlite:from-file.db'\n";
    fs::write(place.path("usso.toml"), file).unwrap();
    place.set("USSO_ISSUER", "https://environment.example.com");
    let mut command = place.command(env!("CARGO_BIN_EXE_usso-server"));
    let server = place.wait_for(command.args(["--config", "usso.toml"]).spawn().unwrap());
    let found = server.client().get("/.well-known/openid-configuration", "");
    assert_eq!(found.text("issuer"), "https://environment.example.com");
    assert!(place.path("from-file.db").exists());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let mut place = Place::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    place.set("USSO_LISTEN", &address);
    let (code, said) = place.refusal(&[]);
    assert_eq!(code, 1);
    assert!(said.starts_with(&format!("usso-server: USSO_LISTEN: {address}: ")), "{said}");
}

#[test]
fn help_lists_variables_with_their_defaults() {
    let help = Command::new(env!("CARGO_BIN_EXE_usso-server")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in ["--config", "USSO_LISTEN", "[default: 127.0.0.1:8000]", "SYSTEM_PASSWORD"] {
        assert!(help.contains(part), "{part} in {help}");
    }
}
