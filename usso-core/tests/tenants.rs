//! Tenants: what keeps them apart, how requests find them, what their settings do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::*;
use usso_core::{
    Deps, TenantHint,
    directory::{
        tenant::{self, NewTenant, Settings, Tenant, TenantStatus},
        user::{self, User},
    },
    kernel::{id::TenantId, refusal::Stop},
    session::{self, Session, Tokens, keys},
    store::{Find, Record},
};

/// A tenant that people use, and the tokens they got so far.
struct Life {
    deps: Deps,
    tokens: Vec<Tokens>,
}

const STEPS: usize = 14;

impl Life {
    async fn new(world: &World, slug: &str) -> Self {
        let tenant = world.tenant(slug, Settings::default()).await;
        Self { deps: world.deps_of(tenant.id).await, tokens: Vec::new() }
    }

    fn keep<R>(&mut self, result: Result<Tokens, Stop<R>>) -> Result<(), Stop<R>> {
        result.map(|tokens| self.tokens.push(tokens))
    }

    async fn step(&mut self, number: usize) -> &'static str {
        let deps = self.deps.clone();
        let user = user::list(&deps, None, 1).await.unwrap().items.pop();
        let user = user.map(|user| user.id);
        match number {
            0 | 1 => {
                let registered = register(&deps, "alice@example.com", PASSWORD).await;
                code(&self.keep(registered.map(|(_, tokens)| tokens)))
            }
            2..=4 => code(&self.keep(sign_in(&deps, "alice@example.com", PASSWORD).await)),
            5 | 6 => code(&self.keep(refresh_in(&deps, &self.tokens[0]).await)),
            7 => {
                for _ in 0..10 {
                    sign_in(&deps, "alice@example.com", OTHER).await.unwrap_err();
                }
                code(&sign_in(&deps, "alice@example.com", OTHER).await)
            }
            8 => code(&keys::rotate(&deps, actor()).await),
            9 => code(&refresh_in(&deps, &self.tokens[1]).await),
            10 => code(&session::end_all(&deps, user.unwrap(), actor()).await),
            11 => code(&refresh_in(&deps, &self.tokens[2]).await),
            12 => code(&user::delete(&deps, user.unwrap(), actor()).await),
            _ => code(&register(&deps, "alice@example.com", OTHER).await),
        }
    }

    async fn count<T: Record>(&self) -> usize {
        let scope = self.deps.scope();
        let found = self.deps.store.find::<T>(&scope, Find::all()).await;
        found.unwrap().items.len()
    }

    /// All that can be seen from outside after a step.
    async fn observe(&mut self, number: usize) -> (&'static str, [usize; 2], Vec<&'static str>) {
        let answer = self.step(number).await;
        let counts = [self.count::<User>().await, self.count::<Session>().await];
        (answer, counts, kinds(&self.deps).await)
    }
}

#[tokio::test]
async fn what_happens_in_one_tenant_is_the_same_whatever_happens_in_another() {
    for (alone, shared) in
        World::on_each_store().await.into_iter().zip(World::on_each_store().await)
    {
        let mut expected = Life::new(&alone, "one").await;
        let mut life = Life::new(&shared, "one").await;
        let mut others = [Life::new(&shared, "two").await, Life::new(&shared, "three").await];
        for number in 0..STEPS {
            for other in &mut others {
                other.observe(number).await;
            }
            let seen = life.observe(number).await;
            assert_eq!(seen, expected.observe(number).await, "step {number}");
            alone.advance(MOMENT);
            shared.advance(MOMENT);
        }
    }
}

#[tokio::test]
async fn one_name_in_two_tenants_is_two_users() {
    for world in World::on_each_store().await {
        let other = world.tenant("other", Settings::default()).await;
        let deps = world.deps_of(other.id).await;
        let (here, _) = world.register("alice@example.com").await;
        let (there, _) = register(&deps, "alice@example.com", OTHER).await.unwrap();
        assert_ne!(here.id, there.id);
        let crossed = sign_in(&deps, "alice@example.com", PASSWORD).await;
        assert_eq!(code(&crossed), "password.not_valid");
        let read = user::read(&deps, here.id).await;
        assert_eq!(code(&read), "user.unknown");
    }
}

#[tokio::test]
async fn a_session_cannot_be_ended_through_another_tenant() {
    let world = World::new().await;
    let other = world.tenant("other", Settings::default()).await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps_of(other.id).await;
    let ended = session::end(&deps, user.id, tokens.session, user.id).await;
    assert_eq!(code(&ended), "session.unknown");
    let ended = session::end_all(&deps, user.id, user.id).await;
    assert_eq!(code(&ended), "session.unknown");
    assert_eq!(world.probe(&tokens).await, ALIVE);
}

fn new(slug: &str, domains: &[&str]) -> NewTenant {
    NewTenant {
        slug: slug.to_owned(),
        domains: domains.iter().map(|name| (*name).to_owned()).collect(),
        ..NewTenant::default()
    }
}

async fn create(world: &World, slug: &str, domains: &[&str]) -> Result<Tenant, &'static str> {
    let deps = world.deps().await;
    let created = tenant::create(&deps, new(slug, domains), actor()).await;
    let answer = code(&created);
    created.map_err(|_| answer)
}

#[tokio::test]
async fn slugs_and_domains_have_one_tenant() {
    let world = World::new().await;
    create(&world, "one", &["one.example", "bücher.example"]).await.unwrap();
    for (slug, domain, expected) in [
        ("one", "two.example", "tenant.slug_taken"),
        ("default", "two.example", "tenant.slug_taken"),
        ("two", "one.example", "tenant.domain_taken"),
        ("two", "ONE.example", "tenant.domain_taken"),
        ("two", "xn--bcher-kva.example", "tenant.domain_taken"),
        ("Two", "two.example", "tenant.invalid"),
        ("-two", "two.example", "tenant.invalid"),
        ("", "two.example", "tenant.invalid"),
        ("two", "two.example:80", "tenant.invalid"),
        ("two", "https://two.example", "tenant.invalid"),
        ("two", "", "tenant.invalid"),
    ] {
        assert_eq!(create(&world, slug, &[domain]).await, Err(expected));
    }
    create(&world, "two", &["two.example"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_tenants_of_one_slug_at_one_moment_one_is_made() {
    for world in World::on_each_store().await {
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |_| {
            let deps = deps.clone();
            async move { tenant::create(&deps, new("one", &["one.example"]), actor()).await }
        });
        let won = results.await.iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn a_domain_moves_from_one_tenant_to_another() {
    let world = World::new().await;
    let one = create(&world, "one", &["one.example"]).await.unwrap();
    let two = create(&world, "two", &[]).await.unwrap();
    let deps = world.deps().await;
    let with = |domains: &[&str]| tenant::Update {
        domains: Some(domains.iter().map(|name| (*name).to_owned()).collect()),
        ..tenant::Update::default()
    };
    let taken = tenant::update(&deps, two.id, with(&["one.example"]), actor()).await;
    assert_eq!(code(&taken), "tenant.domain_taken");
    assert_eq!(found(&world, None, Some("one.example"), None).await, Some("one"));
    tenant::update(&deps, one.id, with(&[]), actor()).await.unwrap();
    tenant::update(&deps, two.id, with(&["one.example"]), actor()).await.unwrap();
    assert_eq!(found(&world, None, Some("one.example"), None).await, Some("two"));
}

/// The slug of the tenant that a request is for, of those that tests make.
async fn found(
    world: &World,
    path: Option<&str>,
    host: Option<&str>,
    header: Option<&str>,
) -> Option<&'static str> {
    let hint = TenantHint { path, host, header };
    let found = world.usso.find_tenant(hint).await.unwrap()?;
    ["default", "one", "two"].into_iter().find(|slug| *slug == found.slug)
}

#[tokio::test]
async fn a_request_finds_its_tenant() {
    let world = World::new().await;
    let one = create(&world, "one", &["one.example"]).await.unwrap().id.to_string();
    let two = create(&world, "two", &["two.example"]).await.unwrap().id.to_string();
    let nobody = TenantId::from_bytes([5; 16]).to_string();
    let long = "a".repeat(10_000);
    let (one, two, nobody) = (Some(&*one), Some(&*two), Some(&*nobody));
    let host = Some("one.example");
    for (path, host, header, expected) in [
        (None, None, None, Some("default")),
        (Some("one"), None, None, Some("one")),
        (one, None, None, Some("one")),
        (None, host, None, Some("one")),
        (None, Some("ONE.example:8443"), None, Some("one")),
        (None, None, two, Some("two")),
        (Some("one"), host, None, Some("one")),
        (None, host, one, Some("one")),
        // A host name that is nobody's does not decide.
        (None, Some("localhost:8000"), None, Some("default")),
        (None, Some("[::1]:8000"), None, Some("default")),
        (None, Some("not a host"), None, Some("default")),
        (None, Some("localhost"), two, Some("two")),
        // The path is more binding than a header.
        (one, None, two, Some("one")),
        // What contradicts itself, or names nobody, is for nobody.
        (two, host, None, None),
        (None, host, two, None),
        (Some("three"), None, None, None),
        (nobody, None, None, None),
        (None, None, Some("three"), None),
        (None, host, Some("three"), None),
        (Some(""), None, None, None),
        (Some("ONE"), None, None, None),
        (Some(&*long), None, None, None),
    ] {
        let seen = found(&world, path, host, header).await;
        assert_eq!(seen, expected, "{path:?} {host:?} {header:?}");
    }
}

#[tokio::test]
async fn a_tenant_that_was_looked_for_too_early_is_found_once_it_is_changed() {
    let world = World::new().await;
    assert_eq!(found(&world, Some("default"), None, None).await, Some("default"));
    let one = create(&world, "one", &[]).await.unwrap();
    assert_eq!(found(&world, None, Some("one.example"), None).await, Some("default"));
    let update = tenant::Update {
        domains: Some(vec!["one.example".to_owned()]),
        ..tenant::Update::default()
    };
    tenant::update(&world.deps().await, one.id, update, actor()).await.unwrap();
    assert_eq!(found(&world, None, Some("one.example"), None).await, Some("one"));
}

#[tokio::test]
async fn a_tenant_is_found_as_soon_as_it_is_made() {
    let world = World::new().await;
    assert_eq!(found(&world, Some("one"), None, None).await, None);
    create(&world, "one", &["one.example"]).await.unwrap();
    assert_eq!(found(&world, Some("one"), None, None).await, Some("one"));
}

async fn suspend(world: &World, id: TenantId) -> Result<Tenant, Stop<tenant::Refused>> {
    let update =
        tenant::Update { status: Some(TenantStatus::Suspended), ..tenant::Update::default() };
    tenant::update(&world.deps().await, id, update, actor()).await
}

#[tokio::test]
async fn a_suspension_of_a_tenant_shows_at_once() {
    let world = World::new().await;
    let one = create(&world, "one", &[]).await.unwrap();
    assert_eq!(world.deps_of(one.id).await.tenant.status, TenantStatus::Active);
    suspend(&world, one.id).await.unwrap();
    let seen = world.deps_of(one.id).await.tenant.status;
    assert_eq!(seen, TenantStatus::Suspended);
}

#[tokio::test]
async fn the_default_tenant_cannot_be_suspended() {
    let world = World::new().await;
    let suspended = suspend(&world, TenantId::DEFAULT).await;
    assert_eq!(code(&suspended), "tenant.default");
}

#[tokio::test]
async fn settings_out_of_range_are_refused_and_change_nothing() {
    let world = World::new().await;
    let deps = world.deps().await;
    for settings in [
        json!({"access_token_seconds": 59}),
        json!({"access_token_seconds": "900"}),
        json!({"issuer": "https://a.example?x"}),
        json!({"no_such_setting": 1}),
    ] {
        let update = tenant::Update {
            settings: settings.as_object().unwrap().clone(),
            ..tenant::Update::default()
        };
        let updated = tenant::update(&deps, TenantId::DEFAULT, update, actor()).await;
        assert!(code(&updated).starts_with("tenant.invalid"), "{settings}");
    }
    assert_eq!(world.deps().await.tenant.settings, Settings::default());
}

#[tokio::test]
async fn the_life_of_access_tokens_is_the_tenants() {
    let world = World::new().await;
    world.set(json!({"access_token_seconds": 60})).await;
    let (_, tokens) = world.register("alice").await;
    assert_eq!(tokens.expires_in, Duration::from_secs(60));
    world.advance(almost(Duration::from_secs(60)));
    assert_eq!(code(&world.caller(&tokens).await), "ok");
    world.advance(MOMENT);
    assert_eq!(code(&world.caller(&tokens).await), "token.expired");
}

#[tokio::test]
async fn tokens_name_the_issuer_and_audiences_of_their_tenant() {
    let world = World::new().await;
    let one = create(&world, "one", &[]).await.unwrap();
    let deps = world.deps_of(one.id).await;
    let (caller, _) = caller_in(&deps, "alice", &[]).await;
    let issuer = format!("https://sso.example/t/{}", one.id);
    assert_eq!((&caller.claims.iss, &caller.claims.aud), (&issuer, &vec![issuer.clone()]));
    let audience = ["https://api.example", "https://app.example"];
    world.set(json!({"issuer": "https://id.acme.example", "audience": audience})).await;
    let (caller, _) = world.caller_with("alice", &[]).await;
    assert_eq!(caller.claims.iss, "https://id.acme.example");
    assert_eq!(caller.claims.aud, audience);
}

#[tokio::test]
async fn a_suspended_tenant_serves_nobody_in_the_engine_either() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let mut deps = world.deps().await;
    let mut tenant = (*deps.tenant).clone();
    tenant.status = tenant::TenantStatus::Suspended;
    deps.tenant = std::sync::Arc::new(tenant);
    let suspended = "tenant.suspended";
    assert_eq!(code(&register(&deps, "bob", PASSWORD).await), suspended);
    assert_eq!(code(&sign_in(&deps, "alice", PASSWORD).await), suspended);
    let refreshed = session::refresh::refresh(&deps, &tokens.refresh_token).await;
    assert_eq!(code(&refreshed), suspended);
    let caller = session::token::authenticate(&deps, &tokens.access_token).await;
    assert_eq!(code(&caller), suspended);
}

#[tokio::test]
async fn the_largest_token_is_one_that_verifiers_read() {
    let world = World::new().await;
    let issuer = format!("https://{}.example", "i".repeat(280));
    let settings = json!({
        "issuer": issuer, "audience": ["a".repeat(512), "b".repeat(512)], "signing_algorithm": "RS256",
    });
    world.set(settings).await;
    let (user, _) = world.register("alice").await;
    let deps = world.deps().await;
    let roles = |length| Some(vec!["r".repeat(200); length]);
    let update = |length| user::Update { roles: roles(length), ..user::Update::default() };
    let actor = actor();
    let too_much = user::update(&deps, user.id, update(16), actor).await;
    assert_eq!(code(&too_much), "user.invalid");
    user::update(&deps, user.id, update(15), actor).await.unwrap();
    session::keys::rotate(&deps, actor).await.unwrap();
    session::keys::rotate(&deps, actor).await.unwrap();
    let tokens = world.sign_in("alice").await.unwrap();
    assert!((6_500..8_192).contains(&tokens.access_token.len()), "{}", tokens.access_token.len());
    assert_eq!(world.caller(&tokens).await.unwrap().user.id, user.id);
}
