//! Signing in with a password, beside what the raw Argon2id cost allows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use usso_core::{
    Config, Ports, Usso,
    flow::password,
    kernel::{custody::MasterKey, event::Origin, hashing, id::TenantId, secret::Secret},
    store::{Sqlite, SqliteOptions, Store},
};

const PASSWORD: &str = "correct horse battery staple";
const FOR: Duration = Duration::from_secs(4);

/// How many people sign in.
const USERS: usize = 64;

fn name(number: usize) -> String {
    format!("user{number}@example.com")
}

/// Prints the table.
pub(crate) async fn run() {
    let threads = std::thread::available_parallelism().unwrap().get();
    println!(
        "\nsign in with a password, {threads} at once, SQLite, durable      (budget: at least 0.90 of raw)"
    );
    // Interleaved, so that a busy neighbour slows both.
    let mut raw = Vec::new();
    let mut ours = Vec::new();
    let bench = Bench::start().await;
    for _ in 0..3 {
        raw.push(tokio::task::spawn_blocking(move || raw_rate(threads)).await.unwrap());
        ours.push(bench.rate(threads).await);
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    println!("  raw Argon2id, memory kept             {:>10.1}/s", best(&raw));
    println!(
        "  sign-ins                              {:>10.1}/s   {:.2} x",
        best(&ours),
        best(&ours) / best(&raw)
    );
}

/// Hashes per second of `threads` threads that do nothing else.
fn raw_rate(threads: usize) -> f64 {
    let config = hashing::Config::default();
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let done = Arc::clone(&done);
            let params =
                Params::new(config.memory_kib, config.iterations, config.parallelism, Some(32))
                    .unwrap();
            std::thread::spawn(move || {
                let mut memory = vec![Block::new(); params.block_count()];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                while started.elapsed() < FOR {
                    let mut out = [0; 32];
                    argon2
                        .hash_password_into_with_memory(
                            PASSWORD.as_bytes(),
                            &[1; 16],
                            &mut out,
                            &mut memory,
                        )
                        .unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

struct Bench {
    usso: Usso,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sqlite =
            Sqlite::open(directory.path().join("bench.db"), &SqliteOptions::default()).unwrap();
        let custody = MasterKey::new(&Secret::new([7; 32])).unwrap();
        let config = Config::new("https://sso.example.com");
        let usso = Usso::start(config, Ports::new(Store::new(sqlite), custody)).await.unwrap();
        let bench = Self { usso, _directory: directory };
        let deps = bench.deps().await;
        for number in 0..USERS {
            let secret = Secret::new(PASSWORD.to_owned());
            password::register(&deps, &name(number), secret, String::new()).await.unwrap();
        }
        bench
    }

    async fn deps(&self) -> usso_core::Deps {
        let tenant = self.usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
        self.usso.deps(tenant, Origin::default())
    }

    async fn rate(&self, at_once: usize) -> f64 {
        let started = Instant::now();
        let mut workers = tokio::task::JoinSet::new();
        // Some wait their turn, so that no processor waits for a disk.
        for worker in 0..4 * at_once {
            let deps = self.deps().await;
            workers.spawn(async move {
                let mut done = 0;
                while started.elapsed() < FOR {
                    let secret = Secret::new(PASSWORD.to_owned());
                    let name = name((worker * 17 + done) % USERS);
                    password::sign_in(&deps, &name, secret).await.unwrap();
                    done += 1;
                }
                done
            });
        }
        let done: usize = workers.join_all().await.into_iter().sum();
        done as f64 / started.elapsed().as_secs_f64()
    }
}
