use super::{
    wire::{Empty, File, FilesClient, Listing},
    *,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};
use usso_verify::testing::{Mint, TestIssuer};

/// The app on a port, its issuer in memory, and a gRPC client.
struct World {
    address: String,
    issuer: TestIssuer,
    client: FilesClient<Channel>,
}

impl World {
    async fn new() -> Self {
        Self::of(TestIssuer::new("https://sso.example")).await
    }

    async fn of(issuer: TestIssuer) -> Self {
        let auth = guard(issuer.fetching_verifier(AUDIENCE)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app(auth).unwrap()).await });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let client = FilesClient::new(endpoint.connect().await.unwrap());
        Self { address, issuer, client }
    }

    fn mint(&self) -> Mint {
        self.issuer.mint().audience(AUDIENCE)
    }

    fn reader(&self) -> String {
        self.mint().subject("user:7").scope("read:files").sign()
    }

    /// Asks for the list, and expects to be refused.
    async fn refusal(&self, request: Request<Empty>) -> (Code, String) {
        let status = self.client.clone().list(request).await.unwrap_err();
        (status.code(), status.message().to_owned())
    }

    /// Sends a request by HTTP/1.1 and gives the answer to its last byte, in lower case.
    async fn raw(&self, line: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request =
            format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.to_lowercase()
    }
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn file(name: &str) -> File {
    File { name: name.to_owned() }
}

#[tokio::test]
async fn a_method_knows_its_caller() {
    let world = World::new().await;
    let answer = world.client.clone().list(with(&world.reader(), Empty {})).await.unwrap();
    let names = vec!["notes".to_owned(), "plans".to_owned()];
    assert_eq!(*answer.get_ref(), Listing { reader: "user:7".to_owned(), names });
}

#[tokio::test]
async fn a_stream_is_guarded_as_a_single_answer_is() {
    let world = World::new().await;
    let mut client = world.client.clone();
    let mut stream = client.read(with(&world.reader(), file("notes"))).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        text.extend(chunk.data);
    }
    assert_eq!(text, b"This is the file notes.");
    let refused = client.read(Request::new(file("notes"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn no_token_and_a_bad_one_are_unauthenticated() {
    let world = World::new().await;
    let (code, message) = world.refusal(Request::new(Empty {})).await;
    assert_eq!(code, Code::Unauthenticated);
    assert!(message.starts_with("access.token_missing: "), "{message}");

    let expired = world.mint().scope("read:files").expired().sign();
    for (token, reason) in [("x.y.z", "token.malformed"), (&*expired, "token.expired")] {
        let (code, message) = world.refusal(with(token, Empty {})).await;
        assert_eq!(code, Code::Unauthenticated, "{reason}");
        assert!(message.starts_with(&format!("{reason}: ")), "{message}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_denied_by_the_guard_and_by_a_method() {
    let world = World::new().await;
    let (code, message) = world.refusal(with(&world.mint().sign(), Empty {})).await;
    assert_eq!(code, Code::PermissionDenied);
    assert_eq!(message, "access.scope: no scope allows \"read:files\" here");

    let mut client = world.client.clone();
    let denied = client.delete(with(&world.reader(), file("notes"))).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert_eq!(denied.message(), "access.scope: no scope allows \"delete:files\" here");

    let both = world.mint().scope("read:files").scope("delete:files").sign();
    client.delete(with(&both, file("notes"))).await.unwrap();
    let left = client.list(with(&both, Empty {})).await.unwrap().into_inner().names;
    assert_eq!(left, ["plans"]);
}

#[tokio::test]
async fn without_keys_it_is_unavailable_and_not_denied() {
    let issuer = TestIssuer::new("https://sso.example");
    issuer.outage();
    let world = World::of(issuer).await;
    let (code, message) = world.refusal(with(&world.reader(), Empty {})).await;
    assert_eq!(code, Code::Unavailable);
    assert!(message.starts_with("token.keys_unavailable: "), "{message}");
}

#[tokio::test]
async fn the_same_port_and_guard_serve_http() {
    let world = World::new().await;
    assert!(world.raw("GET /", "").await.ends_with("a shelf of files."));
    let header = format!("authorization: Bearer {}\r\n", world.reader());
    let me = world.raw("GET /me", &header).await;
    assert!(me.starts_with("http/1.1 200 ") && me.contains("\"sub\":\"user:7\""), "{me}");
    let stranger = world.raw("GET /me", "").await;
    assert!(stranger.starts_with("http/1.1 401 "), "{stranger}");
    assert!(stranger.contains("\r\ncontent-type: application/json\r\n"), "{stranger}");
}

#[tokio::test]
async fn a_refusal_has_all_of_grpc_in_its_headers_and_no_body() {
    let world = World::new().await;
    let kinds = ["application/grpc", "application/grpc+proto", "application/grpc-web+proto"];
    for kind in kinds {
        let headers = format!("content-type: {kind}\r\n");
        let answer = world.raw("POST /files.v1.Files/List", &headers).await;
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{kind}: {answer}");
        let plain = kind.trim_end_matches("+proto");
        assert!(answer.contains(&format!("\r\ncontent-type: {plain}\r\n")), "{kind}: {answer}");
        assert!(answer.contains("\r\ngrpc-status: 16\r\n"), "{kind}: {answer}");
        assert!(answer.contains("\r\ngrpc-message: access.token_missing: "), "{kind}: {answer}");
        assert!(answer.contains("\r\nwww-authenticate: bearer "), "{kind}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{kind}: {answer}");
    }
}
