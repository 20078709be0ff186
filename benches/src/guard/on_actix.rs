//! The rivals on actix-web.

use std::{sync::Arc, time::Duration};

use actix_web::{
    App, HttpMessage as _, HttpServer,
    dev::ServiceRequest,
    error::ErrorUnauthorized,
    rt::System,
    web::{ReqData, ServiceConfig, get, resource},
};
use actix_web_httpauth::{extractors::bearer::BearerAuth, middleware::HttpAuthentication};
use jsonwebtoken::{DecodingKey, Validation, decode, jwk::JwkSet};
use usso_actix::{Auth, Authenticated};
use usso_verify::TokenCache;

use super::{CLOCK, PATH, clock, load::Rival, nobody};
use crate::verify::{peers::Claims, tokens::Tokens};

/// What the budget is about.
pub(super) const LAYER: &str = "usso-actix, middleware and Principal";

/// Starts the servers.
pub(super) fn rivals(tokens: &Tokens) -> Vec<Rival> {
    let bare = serve("actix-web, no authentication", |config| {
        config.service(resource(PATH).route(get().to(async || nobody())));
    });
    [vec![bare], usso(tokens), vec![httpauth(tokens)]].into_iter().flatten().collect()
}

/// Starts usso-actix, each with a cache of its own.
fn usso(tokens: &Tokens) -> Vec<Rival> {
    let auth = Auth::new(tokens.verifier(TokenCache::new()));
    let layered = serve(LAYER, move |config| {
        let handler = get().to(async |caller: Authenticated| caller.sub.clone());
        config.app_data(auth.clone());
        config.service(resource(PATH).route(handler).wrap(auth.required()));
    });
    let auth = Auth::new(tokens.verifier(TokenCache::new()));
    let extracted = serve("usso-actix, Principal", move |config| {
        let handler = get().to(async |caller: Authenticated| caller.sub.clone());
        config.app_data(auth.clone());
        config.service(resource(PATH).route(handler));
    });
    vec![layered, extracted]
}

/// Starts the usual recipe: `jsonwebtoken` in the validator of `actix-web-httpauth`.
fn httpauth(tokens: &Tokens) -> Rival {
    let set: JwkSet = serde_json::from_str(&tokens.jwks).unwrap();
    let key = DecodingKey::from_jwk(&set.keys[0]).unwrap();
    let mut validation = Validation::new(tokens.algorithm.as_str().parse().unwrap());
    validation.set_audience(&[&tokens.issuer]);
    validation.set_issuer(&[&tokens.issuer]);
    let settings = Arc::new((key, validation));
    let validator = move |request: ServiceRequest, bearer: BearerAuth| {
        let settings = Arc::clone(&settings);
        async move {
            let (key, validation) = &*settings;
            match decode::<Claims>(bearer.token(), key, validation) {
                Ok(token) => {
                    request.extensions_mut().insert(token.claims);
                    Ok(request)
                }
                Err(error) => Err((ErrorUnauthorized(error), request)),
            }
        }
    };
    serve("actix-web-httpauth and jsonwebtoken", move |config| {
        let handler = get().to(async |caller: ReqData<Claims>| caller.sub.clone());
        let guard = HttpAuthentication::bearer(validator.clone());
        config.service(resource(PATH).route(handler).wrap(guard));
    })
}

/// Starts a server with one worker.
fn serve(
    name: &'static str,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Rival {
    Rival::start(name, move |listener| {
        let app = move || {
            let clock = resource(CLOCK).route(get().to(async || clock()));
            App::new().configure(routes.clone()).service(clock)
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.keep_alive(Duration::from_secs(60)).listen(listener).unwrap();
        System::new().block_on(server.run()).unwrap();
    })
}
