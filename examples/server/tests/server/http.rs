//! As much of an HTTP client as the tests need: one connection, no retries.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub(crate) use serde_json::Value as Json;
use serde_json::json;

/// Longer than anything may take; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    /// The `Retry-After` of the last answer, in seconds.
    pub(crate) retry_after: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Json,
}

impl Answer {
    /// A field of the body that is a text.
    pub(crate) fn text(&self, field: &str) -> String {
        let text = self.body[field].as_str();
        text.unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    pub(crate) fn error_code(&self) -> &str {
        self.body["error_code"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, retry_after: None }
    }

    pub(crate) fn get(&mut self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, None).unwrap()
    }

    pub(crate) fn post(&mut self, path: &str, token: &str, body: &Json) -> Answer {
        self.call("POST", path, token, Some(body)).unwrap()
    }

    pub(crate) fn sign_in(&mut self, identifier: &str, secret: &str) -> Answer {
        let body = json!({"identifier": identifier, "secret": secret});
        self.post("/api/sso/v1/auth/login", "", &body)
    }

    pub(crate) fn refresh(&mut self, refresh_token: &str) -> Answer {
        let body = json!({"refresh_token": refresh_token});
        self.post("/api/sso/v1/auth/refresh", "", &body)
    }

    /// Sends a request and reads its answer. After an error the server may or may not have done
    /// what was asked.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Json>,
    ) -> io::Result<Answer> {
        let body = body.map(Json::to_string).unwrap_or_default();
        let request = head(method, path, token, body.len()) + "\r\n" + &body;
        self.send(request.as_bytes())?;
        self.answer()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.connection.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            self.connection = Some(BufReader::new(stream));
        }
        self.reader().get_mut().write_all(bytes)
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let (status, length) = self.answer_head()?;
        let mut body = vec![0; length];
        self.reader().read_exact(&mut body)?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// Reads the head of an answer: status and length of the body.
    pub(crate) fn answer_head(&mut self) -> io::Result<(u16, usize)> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = 0;
        self.retry_after = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("retry-after:") {
                self.retry_after = value.trim().parse().ok();
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.is_empty() {
                let no_status = || io::Error::other("no status");
                return Ok((status.ok_or_else(no_status)?, length));
            }
        }
    }

    /// For how long reading waits.
    pub(crate) fn patience(&mut self, patience: Duration) {
        self.reader().get_ref().set_read_timeout(Some(patience)).unwrap();
    }

    /// Reads what comes next, at most one byte.
    pub(crate) fn next_byte(&mut self) -> io::Result<usize> {
        self.reader().read(&mut [0])
    }

    fn reader(&mut self) -> &mut BufReader<TcpStream> {
        self.connection.as_mut().unwrap()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader().read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// The head of a request, without the empty line that ends it.
pub(crate) fn head(method: &str, path: &str, token: &str, length: usize) -> String {
    let authorization = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n"
    )
}
