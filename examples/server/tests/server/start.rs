//! First and later starts, and the administrator that they leave.

use crate::{
    http::Json,
    process::{ADMIN, PASSWORD, Place, Server, paste},
};

/// The lines of the banner that are there to be pasted.
fn lines(server: &Server) -> String {
    let lines: Vec<&str> = server.banner.lines().filter(|line| line.contains("curl ")).collect();
    assert_eq!(lines.len(), 3, "{}", server.banner);
    lines.join("\n")
}

fn assert_they_worked(printed: &[Json]) {
    let [me, jwks] = printed else {
        panic!("{printed:?}");
    };
    assert!(me.to_string().contains(ADMIN), "{me}");
    assert_eq!(jwks["keys"][0]["kty"], "OKP", "{jwks}");
}

fn printed_password(server: &Server) -> Option<String> {
    let (_, after) = server.banner.split_once("password:")?;
    let word = after.split_whitespace().next()?;
    (word.len() == 24).then(|| word.to_owned())
}

#[test]
fn a_fresh_machine_gets_a_password_once_and_three_lines_that_work() {
    let place = Place::new();
    let first = place.start();
    assert_they_worked(&paste(&lines(&first), &[]));
    let password = printed_password(&first).unwrap();
    drop(first);
    let second = place.start();
    assert_eq!(printed_password(&second), None);
    assert!(!second.banner.contains(&password));
    assert!(lines(&second).contains("YOUR-PASSWORD"));
    assert!(!place.log().contains(&password));
    let signed_in = second.client().sign_in(ADMIN, &password);
    assert_eq!(signed_in.status, 200);
}

#[test]
fn the_lines_work_with_a_given_password_and_do_not_show_it() {
    let password = r#"a "quoted" \ violet $HOME otter's lantern"#;
    let mut place = Place::new();
    place.set("SYSTEM_PASSWORD", password);
    let server = place.start();
    assert!(!server.banner.contains("otter"));
    assert_they_worked(&paste(&lines(&server), &[("SYSTEM_PASSWORD", password)]));
}

#[test]
fn a_new_system_password_replaces_the_old_one_and_ends_its_sessions() {
    let mut place = Place::with_password();
    let server = place.start();
    let token = server.admin_token();
    drop(server);
    place.set("SYSTEM_PASSWORD", "another-Heron-17-teapot");
    let server = place.start();
    let mut client = server.client();
    assert_eq!(client.sign_in(ADMIN, PASSWORD).status, 401);
    assert_eq!(client.sign_in(ADMIN, "another-Heron-17-teapot").status, 200);
    assert_eq!(client.get("/api/sso/v1/me", &token).status, 401);
}

#[test]
fn an_unchanged_system_password_changes_nothing() {
    let place = Place::with_password();
    let server = place.start();
    let token = server.admin_token();
    drop(server);
    let server = place.start();
    assert_eq!(server.client().get("/api/sso/v1/me", &token).status, 200);
}

#[test]
fn a_weak_system_password_is_refused_by_name_and_a_better_one_then_works() {
    let mut place = Place::new();
    for weak in ["admin", "password", "admin@localhost", "aaaaaaaaaaaa"] {
        place.set("SYSTEM_PASSWORD", weak);
        let (code, said) = place.refusal(&[]);
        assert_eq!(code, 2, "{weak}: {said}");
        assert!(said.starts_with("usso-server: SYSTEM_PASSWORD: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    place.set("SYSTEM_PASSWORD", PASSWORD);
    place.start().admin_token();
}

#[test]
fn servers_that_start_at_once_on_a_fresh_machine_share_one_administrator() {
    let place = Place::new();
    let starting: Vec<_> = (0..3).map(|_| place.spawn()).collect();
    let servers: Vec<_> = starting.into_iter().map(|child| place.wait_for(child)).collect();
    let works = |password: &String| servers[0].client().sign_in(ADMIN, password).status == 200;
    assert!(servers.iter().filter_map(printed_password).any(|password| works(&password)));
}

#[test]
fn the_first_administrator_administers_the_installation() {
    let place = Place::with_password();
    let server = place.start();
    let token = server.admin_token();
    assert_eq!(server.client().get("/api/sso/v1/tenants", &token).status, 200);
}

#[test]
fn the_issuer_follows_the_port_and_the_setting() {
    let mut place = Place::new();
    let server = place.start();
    let expected = format!("http://localhost:{}", server.address.port());
    let configuration = "/.well-known/openid-configuration";
    let found = server.client().get(configuration, "");
    assert_eq!(found.text("issuer"), expected, "{found:?}");
    drop(server);
    place.set("USSO_ISSUER", "https://sso.example.com");
    let found = place.start().client().get(configuration, "");
    assert_eq!(found.text("issuer"), "https://sso.example.com");
}

#[test]
fn others_over_plain_http_are_warned_about() {
    let mut place = Place::new();
    drop(place.start());
    assert!(!place.log().contains("without TLS"));
    place.set("USSO_LISTEN", "0.0.0.0:0");
    drop(place.start());
    assert!(place.log().contains("without TLS"), "{}", place.log());
}
