use super::*;
use usso_core::kernel::limit::Limit;

fn from_environment(variables: &[(&str, &str)]) -> Result<Settings, BadSetting> {
    read(None, variables)
}

fn read(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Settings, BadSetting> {
    let variables =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::read(file, variables)
}

fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Settings, BadSetting> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usso.toml");
    std::fs::write(&path, text).unwrap();
    read(Some(&path), variables)
}

fn complaint(result: Result<Settings, BadSetting>) -> String {
    result.err().map_or_else(|| "accepted".to_owned(), |bad| bad.to_string())
}

#[test]
fn the_defaults_are_those_of_the_engine() {
    let settings = from_environment(&[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(settings.database, Path::new("usso.db"));
    let text = |config: &Config| format!("{config:?}");
    assert_eq!(text(&settings.engine), text(&Config::new("")));
}

#[test]
fn the_file_has_the_names_of_the_environment() {
    for field in FIELDS {
        let key = field.key.to_uppercase().replace('.', "_").replace("LIMITS_", "LIMIT_");
        assert!(
            field.variable == key || field.variable == format!("USSO_{key}"),
            "{} and {}",
            field.variable,
            field.key
        );
    }
}

#[test]
fn help_names_every_variable() {
    let help = help();
    for field in FIELDS {
        assert!(help.contains(field.variable), "{}", field.variable);
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let file = "listen = '127.0.0.1:1'\ntrusted_proxies = ['10.0.0.0/8', '::1/128']\n\
                [hashing]\nmemory_kib = 64\n[limits]\nsource = '7/10s'";
    let settings = with_file(file, &[("USSO_LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.engine.hashing.memory_kib, 64);
    assert_eq!(settings.engine.limits.source, Limit::new(7, Duration::from_secs(10)));
    assert_eq!(settings.http.trusted_proxies.len(), 2);
}

#[test]
fn unknown_names_are_refused_by_name() {
    let unknown = "there is no such setting";
    for (name, result) in [
        ("USSO_LISTNE", from_environment(&[("USSO_LISTNE", "x")])),
        ("listne", with_file("listne = 'x'", &[])),
        ("hashing.memory", with_file("[hashing]\nmemory = 8", &[])),
        ("hash", with_file("[hash]\nmemory_kib = 8", &[])),
    ] {
        let complaint = complaint(result);
        assert!(complaint.starts_with(&format!("{name}: {unknown}")), "{complaint}");
    }
}

#[test]
fn other_variables_are_not_ours() {
    assert!(from_environment(&[("PATH", ""), ("XUSSO_LISTEN", "x")]).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_its_line() {
    let missing = complaint(read(Some(Path::new("not/there.toml")), &[]));
    assert!(missing.starts_with("--config: not/there.toml: "), "{missing}");
    let broken = complaint(with_file("listen = '127.0.0.1:1'\nissuer =\n", &[]));
    assert!(broken.contains("usso.toml: line 2: "), "{broken}");
    let kind = complaint(with_file("listen = true", &[]));
    assert!(kind.starts_with("listen: it is neither"), "{kind}");
}

#[test]
fn the_master_key_has_several_spellings_and_one_length() {
    let hex = "ff".repeat(32);
    let standard = "//////////////////////////////////////////8=";
    for text in [
        &hex,
        standard,
        "__________________________________________8",
        " //////////////////////////////////////////8\n",
    ] {
        assert_eq!(key(text).unwrap().expose(), &[255; 32], "{text}");
    }
    for text in ["short", &hex[..62], &"+f".repeat(32), &"f".repeat(65), &"é".repeat(32)] {
        let why = key(text).unwrap_err();
        assert!(why.contains("32 bytes") && !why.contains(text), "{why}");
    }
}

#[test]
fn limits_are_attempts_in_a_window() {
    for (text, seconds) in [("10/90s", 90), ("10/5m", 300), ("10/24h", 86_400)] {
        let limit = values::limit(text).unwrap();
        assert_eq!((limit.attempts, limit.window.as_secs()), (10, seconds), "{text}");
    }
    for text in ["10", "10/", "/5m", "0/5m", "10/0m", "10/25h", "10/5d", "-1/5m", "10/5", "10/5µ"]
    {
        assert!(values::limit(text).is_err(), "{text}");
    }
}

#[test]
fn a_database_is_a_sqlite_file() {
    for (text, path) in [
        ("sqlite:usso.db", "usso.db"),
        ("sqlite://usso.db", "usso.db"),
        ("sqlite:///var/lib/usso.db", "/var/lib/usso.db"),
        ("sqlite:/var/lib/usso.db", "/var/lib/usso.db"),
    ] {
        assert_eq!(values::database(text).as_deref(), Ok(Path::new(path)), "{text}");
    }
    for text in [
        "postgres://user:hunter2@db/usso",
        "usso.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:a.db?mode=ro",
    ] {
        let why = values::database(text).unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
}

#[test]
fn a_complaint_of_the_engine_is_put_in_the_operators_words() {
    for (complaint, variable) in [
        ("issuer is \"x\"; …", "USSO_ISSUER"),
        ("audience has an empty name, …", "USSO_AUDIENCE"),
        ("hashing.memory_kib is 1; …", "USSO_HASHING_MEMORY_KIB"),
        ("limits.account must …", "USSO_LIMIT_ACCOUNT"),
        ("limits.account_and_source must …", "USSO_LIMIT_ACCOUNT_AND_SOURCE"),
        ("key_rotation is less than a day; …", "USSO_KEY_ROTATION_DAYS"),
    ] {
        let bad = BadSetting::of_engine(complaint).to_string();
        assert_eq!(bad, format!("{variable}: {complaint}"));
    }
}
