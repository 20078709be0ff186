//! Proofs of possession and client certificates.

use std::time::Duration;

use actix_web::{
    App, HttpMessage as _,
    http::Method,
    test::{TestRequest, init_service},
    web,
};
use serde_json::json;
use usso_actix::{Auth, Authenticated, Guard, UserData};
use usso_verify::{
    Clock as _, Verifier,
    certificate::Thumbprint,
    dpop::{self, RotatingNonces},
    testing::Prover,
};

use crate::support::*;

const PUBLIC: &str = "https://api.example/v1";

fn proven(token: &str, proof: &str, path: &str) -> TestRequest {
    get(path)
        .insert_header(("authorization", format!("DPoP {token}")))
        .insert_header(("dpop", proof.to_owned()))
}

#[actix_web::test]
async fn a_proof_counts_for_one_request_to_its_address() {
    let world = World::with(|guard| guard.public_url(PUBLIC));
    // Nested twice and asked thrice: the proof is used up once.
    let inner = web::resource("/files/{id}")
        .wrap(world.auth.required())
        .to(async |_: Authenticated, _: Authenticated<UserData>| "in");
    let scope = web::scope("/a").wrap(world.auth.optional()).service(inner);
    let app = init_service(App::new().app_data(world.auth.clone()).service(scope)).await;
    let (prover, now) = (Prover::new(), world.issuer.clock().now());
    let token = world.mint().bound_to(&prover).sign();
    let proof = prover.proof("GET", "https://api.example/v1/a/files/7", &token, now);
    let request = || proven(&token, &proof, "/a/files/7?page=2");
    assert_eq!(send(&app, request().to_request()).await.status, 200);
    assert_eq!(send(&app, request().to_request()).await.refusal(), refused(401, "dpop.replayed"));
    for (method, path) in [(Method::GET, "/a/files/8"), (Method::POST, "/a/files/7")] {
        let proof = prover.proof("GET", "https://api.example/v1/a/files/7", &token, now);
        let answer = send(&app, proven(&token, &proof, path).method(method).to_request()).await;
        assert_eq!(answer.status, 401, "{path}");
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        assert!(answer.headers.get_all("www-authenticate").count() == 2, "{challenge}");
    }
    let as_bearer = send(&app, get("/a/files/7").bearer(&token).to_request()).await;
    assert_eq!(as_bearer.refusal(), refused(401, "token.binding"));
}

#[actix_web::test]
async fn several_proofs_are_refused() {
    let world = World::with(|guard| guard.public_url(PUBLIC));
    let app = App::new().wrap(world.auth.required()).route("/", web::to(async || "in"));
    let prover = Prover::new();
    let token = world.mint().bound_to(&prover).sign();
    let proof = prover.proof("GET", "https://api.example/v1/", &token, world.issuer.clock().now());
    let request = proven(&token, &proof, "/").append_header(("dpop", proof.clone()));
    let answer = send(&init_service(app).await, request.to_request()).await;
    assert_eq!(answer.refusal(), refused(401, "dpop.multiple"));
}

#[actix_web::test]
async fn extractors_that_run_at_the_same_time_use_a_proof_once() {
    // The keys are fetched first, so that both wait.
    let world = World::new();
    let verifier = world.issuer.fetching_verifier(AUDIENCE);
    world.issuer.slow(Duration::from_millis(1));
    let auth = Auth::from(Guard::builder(verifier).public_url(PUBLIC).build().unwrap());
    let both = async |_: Authenticated, _: Authenticated<UserData>| "in";
    let app = init_service(App::new().app_data(auth).route("/", web::to(both))).await;
    let prover = Prover::new();
    let token = world.mint().bound_to(&prover).sign();
    let proof = prover.proof("GET", "https://api.example/v1/", &token, world.issuer.clock().now());
    let answer = send(&app, proven(&token, &proof, "/").to_request()).await;
    assert_eq!((answer.status, &*answer.text), (200, "in"));
}

#[actix_web::test]
async fn the_next_nonce_comes_with_every_answer_of_a_gate() {
    let world = World::new();
    let now = world.issuer.clock().now();
    let nonces = RotatingNonces::new(Duration::from_secs(300), [7; 32], now);
    let verifier = Verifier::builder()
        .issuer(world.issuer.issuer().audience(AUDIENCE))
        .clock(world.issuer.clock())
        .dpop(dpop::Verifier::builder().nonces(nonces).build().unwrap())
        .build()
        .unwrap();
    let auth = Auth::from(Guard::builder(verifier).public_url(PUBLIC).build().unwrap());
    let app = App::new().wrap(auth.required()).route("/", web::to(async || "in"));
    let app = init_service(app).await;
    let stranger = send(&app, get("/").to_request()).await;
    let nonce = stranger.header("dpop-nonce").expect("a nonce").to_owned();
    let prover = Prover::new();
    let token = world.mint().bound_to(&prover).sign();
    let uri = "https://api.example/v1/";
    let proof = prover.proof("GET", uri, &token, now);
    let without = send(&app, proven(&token, &proof, "/").to_request()).await;
    assert_eq!(without.status, 401);
    assert_eq!(without.headers.get_all("dpop-nonce").count(), 1);
    let proof = json!({
        "jti": "one", "htm": "GET", "htu": uri, "iat": now, "nonce": nonce, "ath": ath(&token),
    });
    let good = send(&app, proven(&token, &prover.sign(&proof), "/").to_request()).await;
    assert_eq!((good.status, &*good.text), (200, "in"));
    assert_eq!(good.header("dpop-nonce"), Some(&*nonce));
}

/// The hash of a token, as a proof that the kit made has it.
fn ath(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let proof = Prover::new().proof("GET", "https://api.example", token, 0);
    let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["ath"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_token_bound_to_a_certificate_needs_it() {
    let world = World::new();
    let certificate = Thumbprint::of_der(&[0x30, 1, 0]).unwrap();
    let app = App::new().wrap(world.auth.required()).route("/", web::to(async || "in"));
    let app = init_service(app).await;
    let bound = json!({"x5t#S256": certificate.to_text()});
    let token = world.mint().claim("cnf", bound).sign();
    let without = send(&app, get("/").bearer(&token).to_request()).await;
    assert_eq!(without.refusal(), refused(401, "token.binding"));
    for (der, status) in [([0x30, 1, 0], 200), ([0x30, 1, 1], 401)] {
        let request = get("/").bearer(&token).to_request();
        request.extensions_mut().insert(Thumbprint::of_der(&der).unwrap());
        assert_eq!(send(&app, request).await.status, status);
    }
}
