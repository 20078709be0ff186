//! Servers, each on a thread of its own, and the client of one of them.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use super::CLOCK;
use crate::http::parse;

/// A server that runs until the program ends.
pub(super) struct Rival {
    pub(super) name: &'static str,
    address: SocketAddr,
}

impl Rival {
    /// Starts it; `serve` takes connections until the program ends.
    pub(super) fn start(
        name: &'static str,
        serve: impl FnOnce(TcpListener) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve(listener));
        Self { name, address }
    }

    /// Connects to it.
    pub(super) fn open(&self) -> Run {
        let connect = |_| {
            let stream = TcpStream::connect(self.address).unwrap();
            stream.set_nodelay(true).unwrap();
            Connection { stream, buffer: vec![0; 4096] }
        };
        let connections = (0..CONNECTIONS).map(connect).collect();
        Run { name: self.name, connections, busy: Vec::new() }
    }

    /// Gives the status of the answer to one request.
    pub(super) fn status(&self, request: &str) -> u16 {
        self.open().connections[0].ask(request.as_bytes()).0
    }
}

/// Requests before a turn that are not counted.
const WARM: usize = 300;

/// The connections to a server, and how fast it was in each turn.
pub(super) struct Run {
    pub(super) name: &'static str,
    connections: Vec<Connection>,
    busy: Vec<f64>,
}

impl Run {
    /// Sends the requests, so that each connection waits for one answer at any time.
    pub(super) fn turn<'r>(&mut self, requests: impl ExactSizeIterator<Item = &'r [u8]>) {
        let count = requests.len() as f64;
        let connections = self.connections.len();
        // Whoever comes after a slow one finds colder caches and a processor that slows down.
        for _ in 0..WARM {
            self.clock();
        }
        let busy = self.clock();
        for (number, request) in requests.enumerate() {
            let connection = &mut self.connections[number % connections];
            if number >= connections {
                assert_eq!(connection.receive().0, 200, "{}", self.name);
            }
            connection.send(request);
        }
        for connection in &mut self.connections {
            assert_eq!(connection.receive().0, 200, "{}", self.name);
        }
        let busy = self.clock() - busy;
        self.busy.push(busy / count);
    }

    /// Gives the nanoseconds of the server's thread on a processor, per request, of the best tenth of
    /// the turns. Requests per second of the clock on the wall tell more about who was served before.
    pub(super) fn busy(&mut self) -> f64 {
        self.busy.sort_by(f64::total_cmp);
        self.busy[self.busy.len() / 10]
    }

    /// Asks the server's thread how long it was on a processor.
    fn clock(&mut self) -> f64 {
        let request = format!("GET {CLOCK} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.connections[0].ask(request.as_bytes()).1.parse().unwrap()
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn ask(&mut self, request: &[u8]) -> (u16, String) {
        self.send(request);
        self.receive()
    }

    fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).unwrap();
    }

    /// Gives status and body.
    fn receive(&mut self) -> (u16, String) {
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            if let Some(answer) = parse(&self.buffer[..filled]) {
                return answer;
            }
        }
    }
}

const CONNECTIONS: usize = 16;
