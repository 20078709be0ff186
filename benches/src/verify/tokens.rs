//! What is verified.

use std::{sync::Arc, time::UNIX_EPOCH};

use usso_core::{
    Config, Ports, Usso,
    directory::tenant::{self, NewTenant, Settings},
    flow::password,
    kernel::{
        custody::MasterKey,
        event::Origin,
        id::{TenantId, UserId},
        secret::Secret,
    },
    session::keys,
    store::{Memory, Store},
};
use usso_verify::{Algorithm, Issuer, Jwks, KeySet, TokenCache, Verifier, testing::TestIssuer};

/// Good tokens of one issuer, which is their audience, too.
pub(crate) struct Tokens {
    pub(crate) algorithm: Algorithm,
    pub(crate) issuer: String,
    pub(crate) jwks: String,
    pub(crate) all: Vec<String>,
}

impl Tokens {
    /// Mints tokens that differ in subject, session and name.
    pub(crate) fn mint(algorithm: Algorithm, count: usize) -> Self {
        let issuer = TestIssuer::with_algorithm(ISSUER, algorithm);
        issuer.clock().set(UNIX_EPOCH.elapsed().unwrap().as_secs());
        let token = |number: usize| {
            let token = issuer.mint().audience(ISSUER).subject(&format!("user:{number:032}"));
            let token = token.claim("session_id", format!("ses_{number:032}"));
            let token = token.tenant("ten_01970c5de4b37f3a8d52c81f0b6a9e47").role("member");
            token.scope("read:media/files").scope("update:media/files").sign()
        };
        let jwks = serde_json::to_string(&issuer.keys().to_jwks()).unwrap();
        let all = (0..count).map(token).collect();
        Self { algorithm, issuer: ISSUER.to_owned(), jwks, all }
    }

    /// Gives one token as the engine mints it, for a tenant with this algorithm.
    pub(crate) async fn engine(usso: &Usso, algorithm: Algorithm) -> Self {
        let default = usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
        let platform = usso.deps(default, Origin::default());
        let mut settings = Settings::default();
        settings.signing_algorithm = algorithm;
        let slug = algorithm.as_str().to_lowercase();
        let new = NewTenant { slug, settings, ..NewTenant::default() };
        let tenant = tenant::create(&platform, new, UserId::from_bytes([0; 16])).await.unwrap();
        let deps = usso.deps(Arc::new(tenant), Origin::default());
        let secret = Secret::new("correct horse battery staple".to_owned());
        let (_, tokens) =
            password::register(&deps, "user@example.com", secret, String::new()).await.unwrap();
        let jwks = keys::load(&deps).await.unwrap().jwks().json.to_string();
        Self { algorithm, issuer: deps.issuer(), jwks, all: vec![tokens.access_token] }
    }

    /// Gives the first alone.
    pub(crate) fn first(&self) -> Self {
        let all = vec![self.all[0].clone()];
        Self {
            algorithm: self.algorithm,
            issuer: self.issuer.clone(),
            jwks: self.jwks.clone(),
            all,
        }
    }

    /// Gives a verifier that accepts them.
    pub(crate) fn verifier(&self, cache: TokenCache) -> Verifier {
        let jwks: Jwks = serde_json::from_str(&self.jwks).unwrap();
        let issuer =
            Issuer::new(&self.issuer, Arc::new(KeySet::from_jwks(&jwks))).audience(&self.issuer);
        Verifier::builder().issuer(issuer).token_cache(cache).build().unwrap()
    }

    /// Gives the first token with another signature.
    pub(crate) fn forged(&self) -> String {
        let (message, signature) = self.all[0].rsplit_once('.').unwrap();
        let swapped: String = signature.chars().rev().skip(4).collect();
        format!("{message}.{swapped}{}", &signature[signature.len() - 4..])
    }

    /// Takes them one by one in an order that no cache of the processor foresees.
    pub(crate) fn shuffled<'a>(&'a self, seed: usize) -> impl FnMut() -> &'a str + 'a {
        let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            &self.all[usize::try_from(state >> 32).unwrap() % self.all.len()]
        }
    }
}

/// Starts an engine that forgets.
pub(crate) async fn engine() -> Usso {
    let custody = MasterKey::new(&Secret::new([7; 32])).unwrap();
    let ports = Ports::new(Store::new(Memory::new()), custody);
    Usso::start(Config::new(ISSUER), ports).await.unwrap()
}

const ISSUER: &str = "https://sso.example.com";
