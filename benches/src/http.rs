//! A server process and a client that does as little as possible, so that the server is measured.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The administrator's password in every run.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The release build of the reference server.
pub(crate) fn binary() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.with_file_name("usso-server");
    assert!(path.exists(), "build it first: cargo build --release -p usso-server");
    path
}

/// A running server with a database of its own; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) process: Child,
    /// From the start of the process to its first answer.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts it; `password` is what the operator sets for the administrator, if anything.
    pub(crate) async fn start(directory: &std::path::Path, password: Option<&str>) -> Self {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let started = Instant::now();
        let process = Command::new(binary())
            .current_dir(directory)
            .env("USSO_LISTEN", &address)
            .env("USSO_LOG", "warn")
            .envs(password.map(|password| ("SYSTEM_PASSWORD", password)))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut server = Self { address, process, ready_after: Duration::ZERO };
        loop {
            if let Ok(mut connection) = Connection::open(&server.address).await
                && connection.send("GET", "/ready", "").await.0 == 200
            {
                server.ready_after = started.elapsed();
                return server;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the server does not start");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A line of `/proc/<pid>/status` in MiB.
    pub(crate) fn memory(&self, name: &str) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kib: f64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A kept-alive HTTP/1.1 connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and gives status and body.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            if let Some(answer) = parse(&self.buffer) {
                return answer;
            }
        }
    }
}

/// Status and body, once all of it is there.
pub(crate) fn parse(bytes: &[u8]) -> Option<(u16, String)> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?
        .parse::<usize>()
        .unwrap();
    let status = head.split(' ').nth(1)?.parse().unwrap();
    (body.len() >= length).then(|| (status, body.to_owned()))
}
