//! The same handler with and without authentication, beside what else there is in Rust.
//!
//! | file | what |
//! | --- | --- |
//! | `load` | a server on a thread of its own, and a client that does as little as possible |
//! | `on_axum`, `on_actix` | the rivals; the first of each list has no authentication |
//!
//! What decides is the processor time of the server's thread: a neighbour does not count, and the
//! client neither.

mod load;
mod on_actix;
mod on_axum;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION},
};
use tower::ServiceExt as _;
use usso_verify::Algorithm;

use crate::verify::{
    budget,
    race::{Race, processor_time},
    tokens::Tokens,
};
use load::{Rival, Run};

/// Prints the tables.
pub(crate) async fn run() {
    println!(
        "\nauthentication in front of a handler; processor time of the server, p10 of the rounds"
    );
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let tokens = Tokens::mint(algorithm, LIVE + COLD);
        let lists =
            [on_axum::rivals(&tokens), on_axum::older(&tokens).await, on_actix::rivals(&tokens)];
        let guarded = lists.iter().flat_map(|list| &list[1..]);
        for rival in guarded.filter(|rival| rival.name != on_axum::NOTHING) {
            assert_eq!(rival.status(&request(&tokens.forged())), 401, "{}", rival.name);
        }
        let requests: Vec<String> = tokens.all.iter().map(|token| request(token)).collect();
        let (live, cold) = requests.split_at(LIVE);
        let name = format!("{}, {} characters", algorithm.as_str(), tokens.all[0].len());
        if algorithm == Algorithm::EdDsa {
            in_process(&tokens);
            table(&format!("hot {name}, one token"), &lists, &live[..1], HOT_ROUNDS);
            table(&format!("hot {name}, {LIVE} tokens"), &lists, live, HOT_ROUNDS);
        }
        table(&format!("cold {name}"), &lists, cold, COLD / TURN);
    }
}

/// Prints what the rivals make of the requests, in turns.
fn table(title: &str, lists: &[Vec<Rival>], requests: &[String], rounds: usize) {
    let open = |list: &Vec<Rival>| -> Vec<Run> { list.iter().map(Rival::open).collect() };
    let mut runs: Vec<Vec<Run>> = lists.iter().map(open).collect();
    for round in 0..rounds {
        let at = |number: usize| requests[(round * TURN + number) % requests.len()].as_bytes();
        for run in runs.iter_mut().flatten() {
            run.turn((0..TURN).map(at));
        }
    }
    println!("\n{title:<44} {:>8} {:>7}   budget", "us", "kept");
    for mut list in runs {
        let bare = list[0].busy();
        for run in &mut list {
            let busy = run.busy();
            let kept = 100.0 * bare / busy;
            let is_judged = run.name == on_axum::LAYER || run.name == on_actix::LAYER;
            let is_hot = requests.len() < rounds * TURN;
            let judged =
                if is_judged && is_hot { budget("97 %", kept >= 97.0) } else { String::new() };
            println!("  {:<42} {:>8.2} {kept:>5.1} %   {judged}", run.name, busy / 1000.0);
        }
    }
}

/// Prints what the layers and extractors take by themselves, without a connection.
fn in_process(tokens: &Tokens) {
    let header = HeaderValue::try_from(format!("Bearer {}", tokens.all[0])).unwrap();
    let mut race = Race::default();
    for (name, app) in on_axum::apps(tokens) {
        let header = header.clone();
        race.add(name, move || {
            let request = Request::get(PATH).header(AUTHORIZATION, &header);
            let mut answer = pin!(app.clone().oneshot(request.body(Body::empty()).unwrap()));
            let answer = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(answer, Poll::Ready(Ok(answer)) if answer.status() == StatusCode::OK));
        });
    }
    let times = race.run();
    println!(
        "\n{:<44} {:>10} {:>10} {:>10}",
        "Router::oneshot, hot, one token", "median", "p10", "more"
    );
    for own in &times {
        let (median, p10, more) = (own.median, own.p10, own.p10 - times[0].p10);
        println!("  {:<42} {median:>7.0} ns {p10:>7.0} ns {more:>7.0} ns", own.name);
    }
}

fn request(token: &str) -> String {
    format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// What the handler without authentication answers: as long as a subject.
fn nobody() -> String {
    "user:00000000000000000000000000000000".to_owned()
}

/// Tells the processor time of the server's thread, to the client.
fn clock() -> String {
    processor_time().to_string()
}

const PATH: &str = "/files";
const CLOCK: &str = "/clock";
/// How many requests make a turn.
const TURN: usize = 1000;
const HOT_ROUNDS: usize = 101;
/// How many tokens live at once.
const LIVE: usize = 1000;
/// How many are used once.
const COLD: usize = 20_000;
