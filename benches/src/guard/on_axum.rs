//! The rivals on axum, and `jwt-authorizer` on the axum that it is made for.

use std::{net::TcpListener, sync::Arc};

use axum::{Router, routing::get};
use axum_jwt_auth::{Claims as JwtClaims, Decoder, LocalDecoder};
use jsonwebtoken10::{DecodingKey, Validation, jwk::JwkSet};
use jwt_authorizer::{IntoLayer as _, JwtAuthorizer, JwtClaims as LayerClaims};
use tower::layer::util::Identity;
use usso_axum::{Auth, Authenticated, UserData};
use usso_verify::TokenCache;

use super::{CLOCK, PATH, clock, load::Rival, nobody};
use crate::verify::{peers::Claims, tokens::Tokens};

/// What the budget is about.
pub(super) const LAYER: &str = "usso-axum, layer and Principal";

/// What a layer costs on axum, whatever it does.
pub(super) const NOTHING: &str = "axum, layer that does nothing";

/// Starts a server for each of the [`apps`].
pub(super) fn rivals(tokens: &Tokens) -> Vec<Rival> {
    let serve = |(name, app): (_, Router)| {
        Rival::start(name, move |listener| {
            on_one_thread(listener, async |listener| axum::serve(listener, app).await.unwrap());
        })
    };
    apps(tokens).into_iter().map(serve).collect()
}

/// Gives the handler without authentication, and with it in different ways.
pub(super) fn apps(tokens: &Tokens) -> Vec<(&'static str, Router)> {
    let principal = get(async |caller: Authenticated| caller.sub.clone());
    let user_data = get(async |caller: Authenticated<UserData>| caller.sub.clone());
    // Each has a cache of its own.
    let auth = || Auth::new(tokens.verifier(TokenCache::new()));
    let layer = auth();
    let required = layer.required();
    let rule = auth();
    let gate = rule.require("read:files").unwrap();
    let bare = Router::new().route(PATH, get(async || nobody()));
    let apps = vec![
        ("axum, no authentication", bare.clone()),
        (NOTHING, bare.layer(Identity::new())),
        (LAYER, Router::new().route(PATH, principal.clone()).layer(required).with_state(layer)),
        (
            "usso-axum, layer with a scope and Principal",
            Router::new().route(PATH, principal.clone()).layer(gate).with_state(rule),
        ),
        ("usso-axum, Principal", Router::new().route(PATH, principal).with_state(auth())),
        ("usso-axum, UserData", Router::new().route(PATH, user_data).with_state(auth())),
        ("axum-jwt-auth, extractor", jwt_auth(tokens)),
    ];
    // Added last, it is outside of the layers. The state makes axum build all of it now, as a
    // server does, not with each request.
    let timed =
        |(name, app): (_, Router)| (name, app.route(CLOCK, get(async || clock())).with_state(()));
    apps.into_iter().map(timed).collect()
}

fn jwt_auth(tokens: &Tokens) -> Router {
    let set: JwkSet = serde_json::from_str(&tokens.jwks).unwrap();
    let key = DecodingKey::from_jwk(&set.keys[0]).unwrap();
    let mut validation = Validation::new(tokens.algorithm.as_str().parse().unwrap());
    validation.set_audience(&[&tokens.issuer]);
    validation.set_issuer(&[&tokens.issuer]);
    let decoder: Decoder<Claims> = Arc::new(LocalDecoder::new(vec![key], validation).unwrap());
    let handler = get(async |caller: JwtClaims<Claims>| caller.claims.sub.clone());
    Router::new().route(PATH, handler).with_state(decoder)
}

/// Starts `jwt-authorizer`, and a handler without authentication beside it.
pub(super) async fn older(tokens: &Tokens) -> Vec<Rival> {
    use axum07::{Router, routing::get};

    let validation =
        jwt_authorizer::Validation::new().iss(&[&tokens.issuer]).aud(&[&tokens.issuer]);
    let authorizer = JwtAuthorizer::<Claims>::from_jwks_text(&tokens.jwks).validation(validation);
    let layer = authorizer.build().await.unwrap().into_layer();
    let bare = Router::new().route(PATH, get(|| async { nobody() }));
    let handler = get(|LayerClaims(caller): LayerClaims<Claims>| async move { caller.sub });
    let guarded = Router::new().route(PATH, handler).layer(layer);
    let serve = |(name, app): (_, Router)| {
        let app = app.route(CLOCK, get(|| async { clock() }));
        Rival::start(name, move |listener| {
            on_one_thread(listener, async |listener| axum07::serve(listener, app).await.unwrap());
        })
    };
    let apps = [("axum 0.7, no authentication", bare), ("jwt-authorizer, layer", guarded)];
    apps.into_iter().map(serve).collect()
}

fn on_one_thread(listener: TcpListener, serve: impl AsyncFnOnce(tokio::net::TcpListener)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        serve(tokio::net::TcpListener::from_std(listener).unwrap()).await;
    });
}
