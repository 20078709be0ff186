use super::*;
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use serde_json::Value;
use tower::ServiceExt as _;
use usso_verify::{
    BoxFuture, Fetch, FetchError, Request as Ask, Response,
    testing::{Mint, TestIssuer},
};

/// The issuers, as the verifier reaches them. All of them call their key `1`.
#[derive(Clone)]
struct Network {
    own: TestIssuer,
    partner: TestIssuer,
    acme: TestIssuer,
    globex: TestIssuer,
    /// Named as customers are, and none.
    stranger: TestIssuer,
    /// Not named as any.
    evil: TestIssuer,
}

impl Fetch for Network {
    fn fetch(&self, request: Ask) -> BoxFuture<'_, Result<Response, FetchError>> {
        Box::pin(async move {
            let at = |name: &str| request.url.starts_with(&format!("{name}/"));
            let issuer = match () {
                () if at(OWN) => &self.own,
                () if at(PARTNER) => &self.partner,
                () if at(ACME) => &self.acme,
                () if at(GLOBEX) => &self.globex,
                () if at(STRANGER) => &self.stranger,
                () => &self.evil,
            };
            let mut answer = issuer.fetch(request).await?;
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            if let Some(key) = body.pointer_mut("/keys/0/kid") {
                *key = "1".into();
            }
            answer.body = body.to_string().into_bytes();
            Ok(answer)
        })
    }
}

const ACME: &str = "https://acme.sso.example";
const GLOBEX: &str = "https://globex.sso.example";
const STRANGER: &str = "https://stranger.sso.example";
const EVIL: &str = "https://evil.example";

struct World {
    network: Network,
    app: Router,
}

impl World {
    fn new() -> Self {
        let network = Network {
            own: TestIssuer::new(OWN),
            partner: TestIssuer::new(PARTNER),
            acme: TestIssuer::new(ACME),
            globex: TestIssuer::new(GLOBEX),
            stranger: TestIssuer::new(STRANGER),
            evil: TestIssuer::new(EVIL),
        };
        let (fetch, clock) = (Arc::new(network.clone()), network.own.clock());
        let keys = move |issuer: &str| {
            JwksSource::issuer(issuer).fetch(fetch.clone()).clock(clock.clone())
        };
        let own = keys(OWN).allow_loopback_http().build().unwrap();
        let verifier = issuers(own, keys).unwrap().clock(network.own.clock()).build().unwrap();
        Self { app: app(&Auth::new(verifier)).unwrap(), network }
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header("Authorization", format!("Bearer {token}"));
        let answer = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let retry = answer.headers().contains_key("retry-after");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        Answer { status, retry, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Asks for the files of a tenant, and expects to be refused.
    async fn refusal(&self, tenant: &str, token: &str) -> (u16, String) {
        let answer = self.get(&format!("/t/{tenant}/files"), token).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        (answer.status, body["error_code"].as_str().unwrap().to_owned())
    }
}

struct Answer {
    status: u16,
    retry: bool,
    body: String,
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A token of USSO.
fn usso(issuer: &TestIssuer, audience: &str, tenant: &str) -> Mint {
    let mint = issuer.mint().header("kid", "1").audience(audience);
    mint.tenant(tenant).scope("read:files")
}

fn customer(issuer: &TestIssuer, tenant: &str) -> Mint {
    usso(issuer, "https://files.example", tenant)
}

/// A token as RFC 9068 has it.
fn partner(issuer: &TestIssuer) -> Mint {
    let mint = issuer.mint().header("kid", "1").audience(PARTNER_AUDIENCE);
    mint.without("token_type").tenant("org_partner").claim("scope", "openid read:files")
}

#[tokio::test]
async fn each_issuer_opens_the_files_of_its_tenant() {
    let world = World::new();
    let Network { own, partner: vendor, acme, globex, .. } = &world.network;
    for (tenant, token) in [
        ("org_of_ours", usso(own, OWN, "org_of_ours")),
        ("org_partner", partner(vendor)),
        ("org_acme", customer(acme, "org_acme")),
        ("org_globex", customer(globex, "org_globex")),
    ] {
        let answer = world.get(&format!("/t/{tenant}/files"), &token.sign()).await;
        assert_eq!((answer.status, answer.body), (200, format!("The files of {tenant}.")));
    }
}

#[tokio::test]
async fn a_token_of_one_tenant_does_not_open_the_files_of_another() {
    let world = World::new();
    let token = customer(&world.network.acme, "org_acme").sign();
    for tenant in ["org_globex", "org_partner", "acme", "ORG_ACME", "org_acme%20", "%6Frg_globex"] {
        assert_eq!(world.refusal(tenant, &token).await, refused(403, "access.tenant"), "{tenant}");
    }
}

#[tokio::test]
async fn an_issuer_cannot_speak_for_the_tenant_of_another() {
    let world = World::new();
    let forged = customer(&world.network.acme, "org_globex").sign();
    assert_eq!(world.refusal("org_globex", &forged).await, refused(401, "token.tenant"));
    let forged = partner(&world.network.partner).tenant("org_globex").sign();
    assert_eq!(world.refusal("org_globex", &forged).await, refused(401, "token.tenant"));
    let unsaid = customer(&world.network.acme, "org_acme").without("tenant_id").sign();
    assert_eq!(world.refusal("org_acme", &unsaid).await, refused(401, "token.tenant"));
}

#[tokio::test]
async fn the_same_kid_at_two_issuers_does_not_mix() {
    let world = World::new();
    let Network { acme, globex, .. } = &world.network;
    let both = [(acme, "org_acme", GLOBEX, "org_globex"), (globex, "org_globex", ACME, "org_acme")];
    for (issuer, own, _, _) in both {
        let good = customer(issuer, own).sign();
        assert_eq!(world.get(&format!("/t/{own}/files"), &good).await.status, 200);
    }
    for (issuer, _, name, tenant) in both {
        let forged = customer(issuer, tenant).claim("iss", name).sign();
        assert_eq!(world.refusal(tenant, &forged).await, refused(401, "token.signature"));
    }
}

#[tokio::test]
async fn the_rules_of_an_issuer_are_its_own() {
    let world = World::new();
    let Network { own, partner: vendor, acme, .. } = &world.network;
    let wrong = usso(own, PARTNER_AUDIENCE, "org_of_ours").sign();
    assert_eq!(world.refusal("org_of_ours", &wrong).await, refused(401, "token.audience"));
    let wrong = partner(vendor).audience(OWN).sign();
    assert_eq!(world.refusal("org_partner", &wrong).await, refused(401, "token.audience"));
    let wrong = partner(vendor).without("client_id").sign();
    assert_eq!(world.refusal("org_partner", &wrong).await, refused(401, "token.claim_missing"));
    let wrong = customer(acme, "org_acme").without("token_type").sign();
    assert_eq!(world.refusal("org_acme", &wrong).await, refused(401, "token.token_type"));
}

#[tokio::test]
async fn nobody_asks_an_issuer_that_is_not_ours_for_keys() {
    let world = World::new();
    for issuer in [&world.network.stranger, &world.network.evil] {
        let token = customer(issuer, "org_acme").sign();
        assert_eq!(world.refusal("org_acme", &token).await, refused(401, "token.unknown_issuer"));
        assert_eq!(issuer.fetches(), 0);
    }
    let token = customer(&world.network.acme, "org_acme").sign();
    assert_eq!(world.get("/me", &token).await.status, 200);
    assert_eq!(world.network.acme.fetches(), 1);
}

#[tokio::test]
async fn an_outage_of_one_issuer_does_not_touch_the_others() {
    let world = World::new();
    let Network { own, acme, globex, .. } = &world.network;
    acme.outage();
    let answer = world.get("/t/org_acme/files", &customer(acme, "org_acme").sign()).await;
    assert_eq!((answer.status, answer.retry), (503, true));
    assert!(answer.body.contains("token.keys_unavailable"), "{}", answer.body);
    for (tenant, token) in [
        ("org_globex", customer(globex, "org_globex")),
        ("org_of_ours", usso(own, OWN, "org_of_ours")),
    ] {
        assert_eq!(world.get(&format!("/t/{tenant}/files"), &token.sign()).await.status, 200);
    }
}

#[tokio::test]
async fn the_scope_is_needed_as_well_as_the_tenant() {
    let world = World::new();
    let token =
        customer(&world.network.acme, "org_acme").claim("scopes", ["read:mails"].as_slice());
    assert_eq!(world.refusal("org_acme", &token.sign()).await, refused(403, "access.scope"));
}
