//! Connections, signals and a full disk.

use std::{io, net::TcpStream, path::Path, time::Duration};

use serde_json::json;

use crate::{
    http::{Answer, Client, head},
    process::{ADMIN, PASSWORD, Place, Server},
};

const SHORT: Duration = Duration::from_millis(100);

fn is_timeout(result: &io::Result<usize>) -> bool {
    let kind = result.as_ref().map_err(io::Error::kind);
    matches!(kind, Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

#[test]
fn a_request_that_runs_when_the_server_is_told_to_stop_is_answered() {
    let place = Place::with_password();
    let mut server = place.start();
    let mut client = server.client();
    let body = json!({"identifier": ADMIN, "secret": PASSWORD}).to_string();
    let head = head("POST", "/api/sso/v1/auth/login", "", body.len());
    client.send((head + "Expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    // The request runs: it asks for its body.
    assert_eq!(client.answer_head().unwrap().0, 100);
    let mut idle = server.client();
    assert_eq!(idle.get("/health", "").status, 200);
    server.terminate();
    while TcpStream::connect(server.address).is_ok() {}
    assert!(matches!(idle.next_byte(), Ok(0)), "an unused connection is closed");
    client.send(body.as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
    assert!(server.wait().success());
}

#[test]
fn a_head_that_comes_byte_by_byte_is_given_up_on() {
    let mut place = Place::new();
    place.set("USSO_HEADER_TIMEOUT_SECONDS", "1");
    let server = place.start();
    let mut slow = server.client();
    slow.send(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    slow.patience(SHORT);
    let bytes = (0..100).take_while(|_| is_timeout(&slow.next_byte()) && slow.send(b"x").is_ok());
    let bytes = bytes.count();
    assert!((1..100).contains(&bytes), "closed after {bytes} tenths of a second");
    assert_eq!(server.client().get("/health", "").status, 200);
}

#[test]
fn a_head_without_an_end_is_refused() {
    let mut place = Place::new();
    place.set("USSO_HEADER_TIMEOUT_SECONDS", "3600");
    let server = place.start();
    let mut client = server.client();
    client.send(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    // Once the server has closed the connection, sending may fail, and so may reading its answer.
    (0..100).take_while(|_| client.send(&[b'x'; 16_384]).is_ok()).count();
    let answer = client.answer_head().map_err(|error| error.kind());
    let timeout = matches!(answer, Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    assert!(!timeout && !matches!(answer, Ok((200, _))), "{answer:?}");
    assert_eq!(server.client().get("/health", "").status, 200);
}

#[test]
fn connections_over_the_limit_wait_for_a_place() {
    let mut place = Place::new();
    place.set("USSO_CONNECTIONS", "2");
    let server = place.start();
    let (mut one, mut two, mut three) = (server.client(), server.client(), server.client());
    assert_eq!(one.get("/health", "").status, 200);
    assert_eq!(two.get("/health", "").status, 200);
    three.send((head("GET", "/health", "", 0) + "\r\n").as_bytes()).unwrap();
    three.patience(SHORT);
    assert!(is_timeout(&three.next_byte()));
    drop(one);
    three.patience(Duration::from_secs(20));
    assert_eq!(three.answer().unwrap().status, 200);
}

#[test]
fn clients_that_do_not_read_their_answers_are_given_up_on() {
    let mut place = Place::new();
    place.set("USSO_CONNECTIONS", "2");
    place.set("USSO_WRITE_TIMEOUT_SECONDS", "1");
    // Only the other timeout can end a connection.
    place.set("USSO_HEADER_TIMEOUT_SECONDS", "3600");
    let server = place.start();
    // Little to send, and more to answer than the system keeps for a client.
    let requests = (head("GET", "/openapi.json", "", 0) + "\r\n").repeat(500);
    let mut deaf = [server.client(), server.client()];
    for client in &mut deaf {
        client.send(requests.as_bytes()).unwrap();
    }
    let (mut one, mut two) = (server.client(), server.client());
    assert_eq!(one.get("/health", "").status, 200);
    assert_eq!(two.get("/health", "").status, 200);
    drop(deaf);
}

#[test]
fn running_out_of_file_handles_is_survived() {
    let place = Place::new();
    let mut command = place.command(Path::new("sh"));
    let script = "ulimit -n 40 && exec \"$0\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_usso-server")]);
    let server = place.wait_for(command.spawn().unwrap());
    let crowd: Vec<_> = (0..80).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let mut late = server.client();
    late.send((head("GET", "/health", "", 0) + "\r\n").as_bytes()).unwrap();
    late.patience(SHORT);
    assert!(is_timeout(&late.next_byte()));
    drop(crowd);
    late.patience(Duration::from_secs(20));
    assert_eq!(late.answer().unwrap().status, 200);
    assert!(place.log().contains("no connection can be accepted"), "{}", place.log());
}

/// Creates users until the database is full; gives how many there was room for.
fn fill(server: &Server, token: &str) -> (usize, Answer) {
    let mut client = server.client();
    let mut create = |number: usize| {
        let body = json!({"identifiers": [format!("u{number}@example.com")]});
        client.post("/api/sso/v1/users", token, &body)
    };
    for number in 0..10_000 {
        let answer = create(number);
        if answer.status != 201 {
            return (number, answer);
        }
    }
    panic!("the database does not fill up");
}

fn assert_reads_work(mut client: Client, token: &str) {
    for path in ["/api/sso/v1/me", "/.well-known/jwks.json", "/ready"] {
        let answer = client.get(path, token);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[test]
fn a_full_database_refuses_changes_and_still_reads() {
    let mut place = Place::with_password();
    place.set("USSO_DATABASE_MAX_BYTES", "600000");
    let server = place.start();
    let token = server.admin_token();
    let (created, refused) = fill(&server, &token);
    assert!(created > 10, "room for {created}");
    assert_eq!((refused.status, refused.error_code()), (503, "store.full"));
    assert_reads_work(server.client(), &token);
    drop(server);
    assert_reads_work(place.start().client(), &token);
    place.set("USSO_DATABASE_MAX_BYTES", "6000000");
    let server = place.start();
    let body = json!({"identifiers": ["late@example.com"]});
    assert_eq!(server.client().post("/api/sso/v1/users", &token, &body).status, 201);
}
