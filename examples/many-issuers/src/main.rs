//! A service for many tenants: whose tokens count here, and for whose files?
//!
//! | issuer | its tokens are for |
//! | --- | --- |
//! | `http://localhost:8000`, an USSO that we run | the tenant that they name |
//! | `https://login.partner.example`, another product, RFC 9068 | the tenant `org_partner` |
//! | `https://acme.sso.example` and the like, one for each customer | the tenant of that customer |
//!
//! `GET /t/{tenant}/files` needs a caller of that tenant with the scope `read:files`. `GET /me` says
//! who is calling.
//!
//! # Security
//!
//! A signature proves who wrote a claim, not that it is the writer's to say. An issuer that somebody
//! else runs is therefore held to one tenant by [`Issuer::tenant`]: without that it could write
//! another tenant's name into its tokens and read that tenant's files. Roles and scopes are
//! believed of every issuer, within that tenant.
//!
//! # To try it
//!
//! Start `cargo run --release -p usso-server` in an empty folder and paste the line of its banner that
//! sets `TOKEN`. Start this and ask:
//!
//! ```sh
//! curl -i localhost:3000/me -H "Authorization: Bearer $TOKEN"
//! curl -i localhost:3000/t/$TENANT/files -H "Authorization: Bearer $TOKEN"
//! curl -i localhost:3000/t/org_acme/files -H "Authorization: Bearer $TOKEN"
//! ```
//!
//! `$TENANT` is `tenant_id` in the first answer. The third is refused for its tenant; the second for its
//! scope, until the user has it and signed in again: see `usso-verify/README.md`.

use std::{error::Error, sync::Arc};

use axum::{Json, Router, extract::Path, routing::get};
use tokio::net::TcpListener;
use usso_axum::{Auth, Authenticated, InvalidRule, Principal, Rule};
use usso_verify::{
    HttpFetch, Issuer, JwksSource, JwksSourceBuilder, Profile, SetupError, Verifier,
    VerifierBuilder,
};

const OWN: &str = "http://localhost:8000";
const PARTNER: &str = "https://login.partner.example";
/// What the partner's login calls this service.
const PARTNER_AUDIENCE: &str = "urn:partner:files";
/// Our customers: what their issuers are called, and their tenants. A real app looks into a map that
/// is kept fresh beside the requests.
const CUSTOMERS: [(&str, &str); 2] = [("acme", "org_acme"), ("globex", "org_globex")];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Only for an issuer on this machine: others are reached by https.
    let own = JwksSource::issuer(OWN).allow_loopback_http().build()?;
    // One client for all the others, not one for each.
    let client = Arc::new(HttpFetch::builder().build()?);
    let keys = move |issuer: &str| JwksSource::issuer(issuer).fetch(client.clone());
    let verifier = issuers(own, keys)?.build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app(&Auth::new(verifier))?).await?)
}

/// Says whose tokens count. `keys` finds the keys of an issuer of this name.
fn issuers(
    own: JwksSource,
    keys: impl Fn(&str) -> JwksSourceBuilder + Send + Sync + 'static,
) -> Result<VerifierBuilder, SetupError> {
    let own = Issuer::new(OWN, own).audience(OWN);
    let partner = Issuer::new(PARTNER, keys(PARTNER).build()?)
        .profile(Profile::rfc9068())
        .audience(PARTNER_AUDIENCE)
        .tenant("org_partner");
    let customer = move |label: &str| {
        let (_, tenant) = CUSTOMERS.iter().find(|(known, _)| *known == label)?;
        let name = format!("https://{label}.sso.example");
        let keys = keys(&name).build().ok()?;
        Some(Issuer::new(name, keys).audience("https://files.example").tenant(*tenant))
    };
    let builder = Verifier::builder().issuer(own).issuer(partner);
    Ok(builder.tenants("https://{tenant}.sso.example", CUSTOMERS.len(), customer))
}

fn app(auth: &Auth) -> Result<Router, InvalidRule> {
    let rule = Rule::new().tenant("{tenant}").scope("read:files")?;
    Ok(Router::new()
        .route("/t/{tenant}/files", get(files).layer(auth.require(rule)?))
        .route("/me", get(me))
        .with_state(auth.clone()))
}

async fn files(Path(tenant): Path<String>) -> String {
    format!("The files of {tenant}.")
}

async fn me(Authenticated(caller): Authenticated) -> Json<Principal> {
    Json(caller)
}

#[cfg(test)]
mod tests;
