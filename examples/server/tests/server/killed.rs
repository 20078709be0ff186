//! A process that is killed over and over loses nothing that it acknowledged.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::mpsc::{Sender, channel},
    thread,
};

use serde_json::json;

use crate::{
    http::{Answer, Client},
    process::{PASSWORD, Place, Server},
};

const ROUNDS: usize = 20;
const WRITERS: usize = 8;
const WRITES_PER_ROUND: usize = 520;

/// A session as its client knows it.
struct Chain {
    /// The token that was acknowledged last.
    current: String,
    /// Tokens whose exchange was acknowledged.
    spent: Vec<String>,
}

/// What was asked and not answered when the server was killed.
enum Unsure {
    Create(String),
    Refresh(usize),
    Register(String),
}

struct Writer {
    number: usize,
    steps: usize,
    /// Ids of acknowledged users.
    users: Vec<String>,
    chains: Vec<Chain>,
    unsure: Option<Unsure>,
}

fn create(client: &mut Client, admin: &str, identifier: &str) -> io::Result<Answer> {
    let body = json!({"identifiers": [identifier]});
    client.call("POST", "/api/sso/v1/users", admin, Some(&body))
}

fn register(client: &mut Client, identifier: &str) -> io::Result<Answer> {
    let body = json!({"identifier": identifier, "secret": PASSWORD});
    client.call("POST", "/api/sso/v1/auth/register", "", Some(&body))
}

/// For a second after an exchange, a repetition is told that it is its twin: then ask again.
fn refresh(client: &mut Client, token: &str) -> io::Result<Answer> {
    let body = json!({"refresh_token": token});
    loop {
        let answer = client.call("POST", "/api/sso/v1/auth/refresh", "", Some(&body))?;
        if answer.status != 409 {
            return Ok(answer);
        }
    }
}

impl Writer {
    fn new(number: usize) -> Self {
        Self { number, steps: 0, users: Vec::new(), chains: Vec::new(), unsure: None }
    }

    /// Settles what the last round left open, then writes until the server is gone.
    fn run(&mut self, address: SocketAddr, admin: &str, acknowledged: &Sender<()>) {
        let mut client = Client::new(address);
        if self.settle(&mut client, admin).is_err() || self.reuse(&mut client).is_err() {
            return;
        }
        while self.write(&mut client, admin).is_ok() && acknowledged.send(()).is_ok() {}
    }

    /// One write; an error leaves it unsure.
    fn write(&mut self, client: &mut Client, admin: &str) -> io::Result<()> {
        self.steps += 1;
        let name = format!("w{}.{}@example.com", self.number, self.steps);
        match self.steps % 8 {
            1 => {
                self.unsure = Some(Unsure::Register(name.clone()));
                let answer = register(client, &name)?;
                assert_eq!(answer.status, 201, "{answer:?}");
                self.opened(&answer);
            }
            2..=4 => {
                self.unsure = Some(Unsure::Create(name.clone()));
                let answer = create(client, admin, &name)?;
                assert_eq!(answer.status, 201, "{answer:?}");
                self.users.push(answer.text("id"));
            }
            _ => {
                let chain = self.steps % self.chains.len();
                self.unsure = Some(Unsure::Refresh(chain));
                self.exchange(client, chain)?;
            }
        }
        self.unsure = None;
        Ok(())
    }

    fn opened(&mut self, answer: &Answer) {
        self.users.push(answer.body["user"]["id"].as_str().unwrap().to_owned());
        self.chains.push(Chain { current: answer.text("refresh_token"), spent: Vec::new() });
    }

    fn exchange(&mut self, client: &mut Client, chain: usize) -> io::Result<()> {
        let chain = &mut self.chains[chain];
        let answer = refresh(client, &chain.current)?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let next = answer.text("refresh_token");
        chain.spent.push(std::mem::replace(&mut chain.current, next));
        Ok(())
    }

    /// What was not answered happened as a whole or not at all.
    fn settle(&mut self, client: &mut Client, admin: &str) -> io::Result<()> {
        match &self.unsure {
            None => {}
            Some(Unsure::Create(name)) => {
                let answer = create(client, admin, name)?;
                assert!(matches!(answer.status, 201 | 409), "{answer:?}");
            }
            Some(Unsure::Register(name)) => {
                let body = json!({"identifier": name, "secret": PASSWORD});
                let signed_in = client.call("POST", "/api/sso/v1/auth/login", "", Some(&body))?;
                let answer = register(client, name)?;
                let both = (signed_in.status, answer.status);
                assert!(matches!(both, (200, 409) | (401, 201)), "{both:?}");
            }
            // Exchanged or not, the client that missed the answer may ask again.
            Some(Unsure::Refresh(chain)) => self.exchange(client, *chain)?,
        }
        self.unsure = None;
        Ok(())
    }

    /// A token whose exchange was acknowledged before the kill is refused after it, and ends its
    /// session.
    fn reuse(&mut self, client: &mut Client) -> io::Result<()> {
        // The last exchange may still be repeated within the grace time; the one before may not.
        let Some(at) = self.chains.iter().position(|chain| chain.spent.len() > 2) else {
            return Ok(());
        };
        let chain = self.chains.swap_remove(at);
        for token in [&chain.spent[chain.spent.len() - 2], &chain.current] {
            let answer = refresh(client, token)?;
            assert_eq!(answer.status, 401, "{answer:?}");
        }
        Ok(())
    }

    /// With no grace time: every acknowledged user is there, and every session has one usable token.
    fn check(&self, client: &mut Client, admin: &str) {
        for id in &self.users {
            let answer = client.get(&format!("/api/sso/v1/users/{id}"), admin);
            assert_eq!(answer.status, 200, "{id}: {answer:?}");
        }
        for chain in &self.chains {
            let answer = client.refresh(&chain.current);
            assert_eq!(answer.status, 200, "{answer:?}");
            let next = answer.text("refresh_token");
            for used in [&chain.current, &next] {
                // Within the millisecond of its exchange a token counts as that exchange's twin.
                let mut again = client.refresh(used);
                while again.status == 409 {
                    again = client.refresh(used);
                }
                assert_eq!(again.status, 401, "{again:?}");
            }
        }
    }
}

fn set_grace(server: &Server, admin: &str, seconds: u64) {
    let mut client = server.client();
    let default = client.get("/api/sso/v1/tenants", admin).body["items"][0]["id"].clone();
    let path = format!("/api/sso/v1/tenants/{}", default.as_str().unwrap());
    let body = json!({"settings": {"refresh_grace_seconds": seconds}});
    let answer = client.call("PATCH", &path, admin, Some(&body)).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Lets the writers work until enough was acknowledged, then kills the server under them.
fn round(server: &mut Server, writers: &mut [Writer], admin: &str) -> usize {
    let address = server.address;
    let (acknowledged, count) = channel();
    thread::scope(|scope| {
        for writer in writers {
            let acknowledged = acknowledged.clone();
            scope.spawn(move || writer.run(address, admin, &acknowledged));
        }
        drop(acknowledged);
        let reached = count.iter().take(WRITES_PER_ROUND).count();
        server.kill();
        reached + count.iter().count()
    })
}

#[test]
fn a_server_killed_twenty_times_keeps_what_it_acknowledged() {
    let place = Place::with_password();
    let mut server = place.start();
    let admin = server.admin_token();
    set_grace(&server, &admin, 60);
    let mut writers: Vec<Writer> = (0..WRITERS).map(Writer::new).collect();
    let mut acknowledged = 0;
    for _ in 0..ROUNDS {
        acknowledged += round(&mut server, &mut writers, &admin);
        server = place.start();
    }
    assert!(acknowledged >= 10_000, "{acknowledged}");
    let users: HashSet<&String> = writers.iter().flat_map(|writer| &writer.users).collect();
    assert!(users.len() > 4000, "{}", users.len());
    for writer in &mut writers {
        writer.settle(&mut server.client(), &admin).unwrap();
    }
    set_grace(&server, &admin, 0);
    thread::scope(|scope| {
        for writer in &writers {
            let (mut client, admin) = (server.client(), &admin);
            scope.spawn(move || writer.check(&mut client, admin));
        }
    });
}
