//! Refreshing over HTTP against the reference server, every rotation on disk before it is answered.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::http::{Connection, PASSWORD, Server};

const SESSIONS: usize = 64;
const FOR: Duration = Duration::from_secs(5);

/// Prints the table.
pub(crate) async fn run() {
    println!(
        "\nrefresh over HTTP, {SESSIONS} sessions, SQLite, durable          (budget: at least 5,000/s)"
    );
    let directory = tempfile::tempdir().unwrap();
    println!("  disk alone: appends synced one by one {:>10.0}/s", syncs(directory.path()));
    let server = Server::start(directory.path(), Some(PASSWORD)).await;
    let mut clients = tokio::task::JoinSet::new();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(sign_in(&server.address).await);
    }
    let started = Instant::now();
    for (connection, token) in sessions {
        clients.spawn(refresh_for(connection, token, started));
    }
    let counts = clients.join_all().await;
    let elapsed = started.elapsed().as_secs_f64();
    let mut latencies: Vec<Duration> = counts.into_iter().flatten().collect();
    latencies.sort();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).unwrap();
    println!(
        "  refreshes                             {:>10.0}/s",
        latencies.len() as f64 / elapsed
    );
    println!("  latency p50 / p99                     {:>10.2?} / {:.2?}", at(50), at(99));
}

async fn sign_in(address: &str) -> (Connection, String) {
    let mut connection = Connection::open(address).await.unwrap();
    let body = r#"{"identifier":"admin@localhost","secret":"correct horse battery staple"}"#;
    let (status, answer) = connection.send("POST", "/api/sso/v1/auth/login", body).await;
    assert_eq!(status, 200, "{answer}");
    (connection, token(&answer))
}

fn token(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    answer["refresh_token"].as_str().unwrap().to_owned()
}

/// Refreshes one session again and again; gives the latency of each.
async fn refresh_for(
    mut connection: Connection,
    mut current: String,
    started: Instant,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while started.elapsed() < FOR {
        let sent = Instant::now();
        let body = format!(r#"{{"refresh_token":"{current}"}}"#);
        let (status, answer) = connection.send("POST", "/api/sso/v1/auth/refresh", &body).await;
        assert_eq!(status, 200, "{answer}");
        latencies.push(sent.elapsed());
        current = token(&answer);
    }
    latencies
}

/// What the disk allows one writer that syncs after each append.
fn syncs(directory: &std::path::Path) -> f64 {
    let mut file = std::fs::File::create(directory.join("syncs")).unwrap();
    let started = Instant::now();
    let mut done = 0u32;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096]).unwrap();
        file.sync_data().unwrap();
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}
