//! The HTTP client against servers that misbehave, on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use usso_verify::{
    Fetch, FetchError, HttpFetch, HttpFetchBuilder, JwksSource, KeySource, Request, Response,
    SetupError,
};

use crate::support::jwk;

/// A server that answers every request with the same bytes, and then holds the connection.
struct Server {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
    last: Arc<std::sync::Mutex<String>>,
}

impl Server {
    async fn new(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (count, last) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let server = Self { address, served: Arc::clone(&count), last: Arc::clone(&last) };
        let answer: Arc<[u8]> = answer.into().into();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, last) = (Arc::clone(&answer), Arc::clone(&last));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 8192];
                    let length = stream.read(&mut buffer).await.unwrap_or(0);
                    *last.lock().unwrap() = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    _ = stream.write_all(&answer).await;
                    // Until the client closes.
                    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
                });
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

fn ok(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").into_bytes()
}

fn local() -> HttpFetchBuilder {
    HttpFetch::builder()
        .allow_loopback_http()
        .timeouts(Duration::from_millis(200), Duration::from_millis(400))
}

async fn get(url: &str) -> Result<Response, FetchError> {
    local().build().unwrap().fetch(Request::get(url)).await
}

async fn answered(answer: Vec<u8>) -> Result<Response, FetchError> {
    get(&Server::new(answer).await.url()).await
}

#[tokio::test]
async fn an_answer_is_read_with_its_headers() {
    let server = Server::new(ok("ETag: \"1\"\r\nContent-Length: 2\r\n", "{}")).await;
    let response = get(&server.url()).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"{}"[..]));
    assert_eq!(response.header("etag"), Some("\"1\""));
    let request = server.last.lock().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /jwks http/1.1"), "{request}");
    assert!(request.contains("user-agent: usso-verify/"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn a_body_is_posted_with_its_headers() {
    let server = Server::new(ok("Content-Length: 0\r\n", "")).await;
    let form = "application/x-www-form-urlencoded";
    let request = Request::post(server.url(), form, b"token=x".to_vec()).header("x-a", "b");
    local().user_agent("me/1").build().unwrap().fetch(request).await.unwrap();
    let request = server.last.lock().unwrap().clone();
    assert!(request.starts_with("POST /jwks") && request.ends_with("token=x"), "{request}");
    assert!(request.contains("x-a: b") && request.contains("user-agent: me/1"), "{request}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let (most, more) = ("a".repeat(1 << 16), "a".repeat((1 << 16) + 1));
    let sized = |body: &str| ok(&format!("Content-Length: {}\r\n", body.len()), body);
    let chunked = |body: &str| {
        let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        ok("Transfer-Encoding: chunked\r\n", &chunks)
    };
    for frame in [&sized as &dyn Fn(&str) -> Vec<u8>, &chunked] {
        assert_eq!(answered(frame(&most)).await.unwrap().body.len(), 1 << 16);
        assert_eq!(answered(frame(&more)).await.unwrap_err(), FetchError::TooLarge);
    }
    // Says nothing and never ends.
    assert_eq!(answered(ok("", &more)).await.unwrap_err(), FetchError::TooLarge);
}

#[tokio::test]
async fn a_length_that_is_not_true_is_no_answer() {
    let short = ok("Content-Length: 1000000\r\n", "{}");
    assert!(answered(short).await.is_err());
    let cut = answered(ok("Content-Length: 2\r\n", "{}surplus")).await.unwrap();
    assert_eq!(cut.body, b"{}");
}

#[tokio::test]
async fn ten_megabytes_are_not_read() {
    let huge = "a".repeat(10 << 20);
    let answer = ok("Content-Length: 10485760\r\n", &huge);
    assert_eq!(answered(answer).await.unwrap_err(), FetchError::TooLarge);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::new(ok("Content-Length: 2\r\n", "{}")).await;
    let headers = format!("Location: {}\r\nContent-Length: 0\r\n\r\n", target.url());
    let answer = format!("HTTP/1.1 302 Found\r\n{headers}").into_bytes();
    assert_eq!(answered(answer).await.unwrap().status, 302);
    assert_eq!(target.served(), 0);
}

#[tokio::test]
async fn a_server_that_dawdles_is_given_up() {
    for answer in [&b""[..], b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"] {
        assert_eq!(answered(answer.to_vec()).await.unwrap_err(), FetchError::TimedOut);
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_failure() {
    assert_eq!(answered(b"SSH-2.0-x\r\n".to_vec()).await.unwrap_err(), FetchError::Failed);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(get(&format!("http://{closed}/")).await.unwrap_err(), FetchError::Failed);
}

#[tokio::test]
async fn http_is_refused_unless_it_stays_on_this_machine() {
    let server = Server::new(ok("Content-Length: 2\r\n", "{}")).await;
    let strict = HttpFetch::builder().build().unwrap();
    assert_eq!(strict.fetch(Request::get(server.url())).await.unwrap_err(), FetchError::Refused);
    assert_eq!(server.served(), 0);
    for url in [
        "http://sso.example/",
        "http://1.1.1.1/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/hostname",
        "data:,x",
        "",
        "http://",
        "http://localhost.:1/",
    ] {
        assert_eq!(get(url).await.unwrap_err(), FetchError::Refused, "{url}");
    }
}

#[tokio::test]
async fn an_address_written_out_is_judged_however_it_is_written() {
    let private = HttpFetch::builder().allow_private_networks().build().unwrap();
    for url in [
        "https://169.254.169.254/latest",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
    ] {
        let refused = private.fetch(Request::get(url)).await.unwrap_err();
        assert_eq!(refused, FetchError::Refused, "{url}");
    }
    let strict = HttpFetch::builder().build().unwrap();
    for url in
        ["https://10.0.0.1/", "https://192.168.0.1/", "https://100.64.0.1/", "https://[fd12::1]/"]
    {
        assert_eq!(
            strict.fetch(Request::get(url)).await.unwrap_err(),
            FetchError::Refused,
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let server = Server::new(ok("Content-Length: 2\r\n", "{}")).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let strict = HttpFetch::builder().allow_private_networks().build().unwrap();
    assert_eq!(strict.fetch(Request::get(&url)).await.unwrap_err(), FetchError::Refused);
    assert_eq!(server.served(), 0);
    // Allowed, it gets as far as TLS.
    let named = HttpFetch::builder().allow_host("LOCALHOST").build().unwrap();
    assert_ne!(named.fetch(Request::get(&url)).await.unwrap_err(), FetchError::Refused);
    assert!(server.served() > 0);
}

#[tokio::test]
async fn localhost_is_resolved_and_asked() {
    let server = Server::new(ok("Content-Length: 2\r\n", "{}")).await;
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(get(&url).await.unwrap().status, 200);
}

#[tokio::test]
async fn keys_come_over_http_from_end_to_end() {
    let body = serde_json::json!({"keys": [jwk("a", 1)]}).to_string();
    let headers = format!("Cache-Control: max-age=90\r\nContent-Length: {}\r\n", body.len());
    let server = Server::new(ok(&headers, &body)).await;
    let source = JwksSource::url(server.url()).allow_loopback_http().build().unwrap();
    source.preload().await.unwrap();
    let fetched = source.status().fetched_at.unwrap();
    assert!(source.keys(fetched).unwrap().get("a").is_some());
    assert_eq!(source.status().fresh_until, Some(fetched + 90));
    assert_eq!(server.served(), 1);
}

#[test]
fn settings_out_of_range_are_refused() {
    let millis = Duration::from_millis;
    let refused = |builder: HttpFetchBuilder| builder.build().unwrap_err();
    let builder = HttpFetch::builder;
    for (connect, total) in [(99, 1000), (2000, 1999), (100, 60_001)] {
        let error = refused(builder().timeouts(millis(connect), millis(total)));
        assert!(matches!(error, SetupError::OutOfRange { setting: "timeouts", .. }));
    }
    for (network, prefix) in [("10.0.0.0", 33), ("fc00::", 129)] {
        let error = refused(builder().allow_network(network.parse().unwrap(), prefix));
        assert!(matches!(error, SetupError::OutOfRange { setting: "allow_network", .. }));
    }
    assert_eq!(refused(builder().user_agent("")), SetupError::UserAgent);
    assert_eq!(refused(builder().user_agent("a\r\nb: c")), SetupError::UserAgent);
    assert_eq!(refused(builder().root_certificate("no certificate")), SetupError::Certificate);
}
