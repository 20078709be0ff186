//! The reference server at rest: size, memory, start-up.

use crate::http::{Connection, PASSWORD, Server, binary};

/// Prints the table.
pub(crate) async fn run() {
    println!(
        "\nreference server                                       (budget: 30 MB, 30 MB, 150 ms)"
    );
    let size = std::fs::metadata(binary()).unwrap().len() as f64 / 1_000_000.0;
    println!("  stripped binary                       {size:>10.1} MB");
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start(directory.path(), Some(PASSWORD)).await.ready_after;
    println!("  ready on a new database               {first:>10.1?}");
    let mut best = first;
    for _ in 0..5 {
        best = best.min(Server::start(directory.path(), None).await.ready_after);
    }
    println!("  ready on an existing database         {best:>10.1?}   best of 5");
    let server = Server::start(directory.path(), None).await;
    println!("  memory at rest                        {:>10.1} MiB", server.memory("VmRSS:"));
    storm(&server.address).await;
    println!(
        "  memory after 200 sign-ins at once     {:>10.1} MiB   peak {:.1}",
        server.memory("VmRSS:"),
        server.memory("VmHWM:")
    );
}

/// 200 sign-ins at once: most are told to come back.
async fn storm(address: &str) {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let address = address.to_owned();
        clients.spawn(async move {
            let mut connection = Connection::open(&address).await.unwrap();
            let body =
                r#"{"identifier":"admin@localhost","secret":"correct horse battery staple"}"#;
            connection.send("POST", "/api/sso/v1/auth/login", body).await.0
        });
    }
    let answers = clients.join_all().await;
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    println!(
        "  200 sign-ins at once                  {:>10} answered 200, {} answered 429",
        count(200),
        count(429)
    );
}
