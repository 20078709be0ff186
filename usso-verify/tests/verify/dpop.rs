//! Proofs of possession: each rule of RFC 9449 §4.3, both ways.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use usso_verify::challenge::ErrorCode;
use usso_verify::dpop::{
    Builder, ConfigError, Confirmed, Error, MemoryReplayCache, Nonces, Proof, Remembered,
    ReplayCache, RotatingNonces, Use, Verifier, With, only_header,
};
use usso_verify::{Algorithm, KeyError};

use crate::support::*;

const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const ATH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
const URI: &str = "https://api.example/files";

fn verifier() -> Verifier {
    Verifier::builder().build().unwrap()
}

fn header(signer: &Signer) -> Value {
    let jwk = patched(json!(signer.key().to_jwk()), json!({"kid": null, "use": null}));
    let alg = signer.key().algorithm();
    json!({"typ": "dpop+jwt", "alg": alg, "jwk": jwk})
}

fn claims(with: Value) -> Value {
    let good = json!({"jti": "p1", "htm": "GET", "htu": URI, "iat": NOW, "ath": ATH});
    patched(good, with)
}

fn proof(signer: &Signer, with: Value) -> String {
    signer.mint_text(&header(signer).to_string(), &claims(with).to_string())
}

fn request<'a>(proof: &'a str, jkt: &'a str) -> Proof<'a> {
    Proof { proof, method: "GET", uri: URI, with: With::AccessToken { token: TOKEN, jkt } }
}

fn check_at(builder: Builder, proof: &str, now: u64) -> Result<Confirmed, Error> {
    let jkt = Signer::ed25519(1).key().thumbprint();
    builder.build().unwrap().check(&request(proof, &jkt), now)
}

fn judge(with: Value) -> Result<Confirmed, Error> {
    check_at(Verifier::builder(), &proof(&Signer::ed25519(1), with), NOW)
}

fn judge_header(with: Value) -> Result<Confirmed, Error> {
    let signer = Signer::ed25519(1);
    let header = patched(header(&signer), with).to_string();
    let text = signer.mint_text(&header, &claims(json!({})).to_string());
    check_at(Verifier::builder(), &text, NOW)
}

/// With `null` members, which [`patched`] would remove.
fn judge_jwk(with: Value) -> Result<Confirmed, Error> {
    let Value::Object(with) = with else { panic!("not an object") };
    let mut jwk = header(&Signer::ed25519(1))["jwk"].as_object().unwrap().clone();
    jwk.extend(with);
    judge_header(json!({"jwk": jwk}))
}

/// With a `null` claim, which [`patched`] would remove.
fn judge_claim(name: &str, value: &Value) -> Result<Confirmed, Error> {
    let signer = Signer::ed25519(1);
    let mut claims = claims(json!({}));
    claims[name] = value.clone();
    let text = signer.mint_text(&header(&signer).to_string(), &claims.to_string());
    check_at(Verifier::builder(), &text, NOW)
}

const RFC_HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6\
    Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3\
    VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
const RFC_JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[test]
fn rfc_9449_4_1_the_published_token_request_is_confirmed() {
    let text = format!(
        "{RFC_HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2Vyd\
         mVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLv\
         qRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let uri = "https://server.example.com/token";
    let request = Proof { proof: &text, method: "POST", uri, with: With::NoAccessToken };
    let confirmed = verifier().check(&request, 1_562_262_616).unwrap();
    assert_eq!((confirmed.jkt.as_str(), confirmed.jti.as_str()), (RFC_JKT, "-BwC3ESc6acc2lTc"));
    assert_eq!((confirmed.iat, confirmed.nonce.as_deref()), (1_562_262_616, None));
    assert_eq!(confirmed.check_binding(RFC_JKT), Ok(()));
    assert_eq!(confirmed.check_binding("other"), Err(Error::Binding));
}

#[test]
fn rfc_9449_7_1_the_published_resource_request_is_confirmed() {
    let text = format!(
        "{RFC_HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvd\
         XJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJ\
         aM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1p\
         lemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let request =
        Proof { uri: "https://resource.example.org/protectedresource", ..request(&text, RFC_JKT) };
    assert_eq!(verifier().check(&request, 1_562_262_618).unwrap().jti, "e1j3V_bKic8-LAEB");
}

#[test]
fn a_proof_of_every_algorithm_is_confirmed_with_and_without_alg_in_the_jwk() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let mut bare = header(&signer);
        bare["jwk"].as_object_mut().unwrap().remove("alg");
        for header in [header(&signer), bare] {
            let text = signer.mint_text(&header.to_string(), &claims(json!({})).to_string());
            let jkt = signer.key().thumbprint();
            let confirmed = verifier().check(&request(&text, &jkt), NOW).unwrap();
            assert_eq!(confirmed.jkt, jkt);
        }
    }
}

#[test]
fn exactly_one_header_is_taken() {
    assert_eq!(only_header(["a.b.c"]), Ok("a.b.c"));
    assert_eq!(only_header::<str>([]), Err(Error::Missing));
    assert_eq!(only_header(["a", "a"]), Err(Error::Multiple));
    assert_eq!(only_header(["a", "b", "c"]), Err(Error::Multiple));
    assert_eq!(only_header(["é"]), Err(Error::Malformed));
    assert_eq!(only_header([&b"\xff"[..]]), Err(Error::Malformed));
    let good = proof(&Signer::ed25519(1), json!({}));
    let joined = format!("{good}, {good}");
    assert_eq!(check_at(Verifier::builder(), &joined, NOW), Err(Error::Malformed));
}

#[test]
fn the_type_is_exactly_that_of_a_proof() {
    for typ in ["jwt", "JWT", "at+jwt", "DPOP+JWT", "dpop+JWT", "application/dpop+jwt", ""] {
        assert_eq!(judge_header(json!({"typ": typ})), Err(Error::Typ), "{typ}");
    }
    for typ in every_json_type() {
        assert_eq!(judge_header(json!({"typ": typ})), Err(Error::Typ), "{typ}");
    }
}

#[test]
fn an_algorithm_that_is_not_accepted_or_not_the_key_s_is_refused() {
    for alg in ["none", "HS256", "eddsa", "ES512", "", "ES256", "RS256"] {
        assert_eq!(judge_header(json!({"alg": alg})), Err(Error::Algorithm), "{alg}");
    }
    for alg in every_json_type().into_iter().filter(|alg| !alg.is_string()) {
        assert_eq!(judge_header(json!({"alg": alg})), Err(Error::Malformed), "{alg}");
    }
    for alg in ["ES256", "HS256", "none"] {
        assert_eq!(judge_jwk(json!({"alg": alg})), Err(Error::Algorithm), "{alg}");
    }
    let only = Verifier::builder().algorithms([Algorithm::Es256]);
    let text = proof(&Signer::ed25519(1), json!({}));
    assert_eq!(check_at(only, &text, NOW), Err(Error::Algorithm));
}

#[test]
fn an_rsa_key_of_one_algorithm_does_not_prove_another() {
    let signer = Signer::new(Algorithm::Rs256);
    let header = patched(header(&signer), json!({"alg": "PS256"})).to_string();
    let text = signer.mint_text(&header, &claims(json!({})).to_string());
    assert_eq!(check_at(Verifier::builder(), &text, NOW), Err(Error::Algorithm));
}

#[test]
fn an_embedded_key_must_be_public_and_sound() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for value in [json!("AA"), Value::Null] {
            let verdict = judge_jwk(json!({member: value}));
            assert_eq!(verdict, Err(Error::Key(KeyError::PrivateMember)), "{member}");
        }
    }
    assert_eq!(judge_jwk(json!({"use": "enc"})), Err(Error::Key(KeyError::Use)));
    assert_eq!(judge_jwk(json!({"kty": "oct"})), Err(Error::Key(KeyError::KeyType)));
    assert_eq!(judge_jwk(json!({"x": "AA"})), Err(Error::Key(KeyError::Encoding)));
    assert_eq!(judge_jwk(json!({"x": b64([0; 32])})), Err(Error::Key(KeyError::Weak)));
    assert_eq!(judge_header(json!({"jwk": null})), Err(Error::Key(KeyError::Encoding)));
    for jwk in every_json_type() {
        let verdict = judge_header(json!({"jwk": jwk}));
        assert_eq!(verdict, Err(Error::Key(KeyError::Encoding)), "{jwk}");
    }
}

#[test]
fn other_names_of_a_key_are_ignored() {
    for kid in every_json_type() {
        assert!(judge_jwk(json!({"kid": kid})).is_ok(), "{kid}");
        assert!(judge_header(json!({"kid": kid, "jku": kid, "x5c": kid})).is_ok(), "{kid}");
    }
}

#[test]
fn extensions_are_refused_with_any_content() {
    for name in ["crit", "b64"] {
        for value in [json!([]), json!(["exp"]), json!(true), json!(false)] {
            assert_eq!(judge_header(json!({name: value})), Err(Error::Critical), "{name}");
        }
    }
}

#[test]
fn members_given_twice_are_refused_at_any_level() {
    let signer = Signer::ed25519(1);
    let (header, claims) = (header(&signer).to_string(), claims(json!({})).to_string());
    let twice = |text: &str, name: &str| text.replacen('{', &format!("{{\"{name}\":1,"), 1);
    let in_key = header.replace(r#""crv""#, r#""crv":"x","crv""#);
    for text in [
        signer.mint_text(&twice(&header, "alg"), &claims),
        signer.mint_text(&in_key, &claims),
        signer.mint_text(&header, &twice(&claims, "jti")),
        signer.mint_text(&header, &claims.replacen('{', r#"{"a":{"b":1,"\u0062":1},"#, 1)),
    ] {
        assert_eq!(
            check_at(Verifier::builder(), &text, NOW),
            Err(Error::DuplicateMember),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_three_segments_of_objects_is_refused() {
    let good = proof(&Signer::ed25519(1), json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    for text in ["", ".", "..", "...", signed, &format!("{good}."), &format!("{good}.a.b")]
        .into_iter()
        .chain([&*format!("{good}="), &format!(" {good}"), &format!("{signed}.A")])
        .chain([&*Signer::ed25519(1).mint_text("[]", "{}"), &".".repeat(8192)])
    {
        assert_eq!(check_at(Verifier::builder(), text, NOW), Err(Error::Malformed), "{text}");
    }
}

#[test]
fn a_signature_of_anything_else_is_refused() {
    let good = proof(&Signer::ed25519(1), json!({}));
    let other = proof(&Signer::ed25519(1), json!({"jti": "p2"}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    for signature in [signature, "", &b64([0; 64]), &b64([0; 63])] {
        let text = format!("{signed}.{signature}");
        assert_eq!(check_at(Verifier::builder(), &text, NOW), Err(Error::Signature), "{text}");
    }
}

#[test]
fn each_required_claim_is_required() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        assert_eq!(judge(json!({name: null})), Err(Error::ClaimMissing(name)));
    }
}

#[test]
fn a_claim_of_another_type_never_counts_as_absent() {
    for name in ["jti", "htm", "htu", "ath", "nonce"] {
        for value in every_json_type().into_iter().filter(|value| !value.is_string()) {
            assert_eq!(judge_claim(name, &value), Err(Error::ClaimInvalid(name)), "{name} {value}");
        }
    }
    for value in every_json_type().into_iter().filter(|value| !value.is_number()) {
        assert_eq!(judge_claim("iat", &value), Err(Error::ClaimInvalid("iat")), "{value}");
    }
    for value in [json!(-1), json!(1e300), json!(-0.5)] {
        assert_eq!(judge_claim("iat", &value), Err(Error::ClaimInvalid("iat")), "{value}");
    }
}

#[test]
fn a_name_has_1_to_256_bytes() {
    assert_eq!(judge(json!({"jti": ""})), Err(Error::ClaimInvalid("jti")));
    assert!(judge(json!({"jti": "x"})).is_ok());
    assert!(judge(json!({"jti": "x".repeat(256)})).is_ok());
    assert_eq!(judge(json!({"jti": "x".repeat(257)})), Err(Error::ClaimInvalid("jti")));
}

#[test]
fn the_method_is_exactly_the_request_s() {
    for method in ["get", "Get", "POST", "", "GET ", "GETS"] {
        assert_eq!(judge(json!({"htm": method})), Err(Error::Method), "{method}");
    }
}

#[test]
fn the_address_is_the_request_s_in_any_spelling() {
    for uri in ["https://API.example:443/./files?x#y", "HTTPS://api.example/%66iles"] {
        assert!(judge(json!({"htu": uri})).is_ok(), "{uri}");
    }
    for uri in ["https://api.example/", "http://api.example/files", "https://evil.example/files"] {
        assert_eq!(judge(json!({"htu": uri})), Err(Error::Uri), "{uri}");
    }
    for uri in ["", "/files", "https://u@api.example/files", "https://api.example/%zz"] {
        assert_eq!(judge(json!({"htu": uri})), Err(Error::ClaimInvalid("htu")), "{uri}");
        let text = proof(&Signer::ed25519(1), json!({}));
        let jkt = Signer::ed25519(1).key().thumbprint();
        let request = Proof { uri, ..request(&text, &jkt) };
        assert_eq!(verifier().check(&request, NOW), Err(Error::RequestUri), "{uri}");
    }
    let text = proof(&Signer::ed25519(1), json!({}));
    let jkt = Signer::ed25519(1).key().thumbprint();
    let request = Proof { uri: "https://api.example:443/files?page=2", ..request(&text, &jkt) };
    assert!(verifier().check(&request, NOW).is_ok());
}

#[test]
fn a_proof_lives_from_leeway_before_to_age_and_leeway_after_its_issue() {
    for (iat, verdict) in [
        (json!(NOW), Ok(NOW)),
        (json!(NOW + 5), Ok(NOW + 5)),
        (json!(NOW + 6), Err(Error::IssuedInFuture)),
        (json!(u64::MAX), Err(Error::IssuedInFuture)),
        (json!(NOW - 65), Ok(NOW - 65)),
        (json!(NOW - 66), Err(Error::TooOld)),
        (json!(0), Err(Error::TooOld)),
        (json!(1_750_000_000.75), Ok(NOW)),
        (json!(1_750_000_005.9), Ok(NOW + 5)),
    ] {
        assert_eq!(judge(json!({"iat": iat})).map(|confirmed| confirmed.iat), verdict, "{iat}");
    }
    let strict = || Verifier::builder().max_age(Duration::from_secs(1)).leeway(Duration::ZERO);
    let text = proof(&Signer::ed25519(1), json!({}));
    assert!(check_at(strict(), &text, NOW + 1).is_ok());
    assert_eq!(check_at(strict(), &text, NOW + 2), Err(Error::TooOld));
    assert_eq!(check_at(strict(), &text, NOW - 1), Err(Error::IssuedInFuture));
    assert_eq!(check_at(strict(), &text, u64::MAX), Err(Error::TooOld));
}

#[test]
fn a_proof_is_for_its_access_token_and_its_key() {
    for ath in ["", &ATH[1..], &format!("{ATH}="), &ATH.to_lowercase(), TOKEN] {
        assert_eq!(judge(json!({"ath": ath})), Err(Error::AccessToken), "{ath}");
    }
    let text = proof(&Signer::ed25519(1), json!({}));
    let other = Signer::ed25519(2).key().thumbprint();
    for jkt in ["", &other] {
        assert_eq!(verifier().check(&request(&text, jkt), NOW), Err(Error::Binding), "{jkt}");
    }
    let jkt = Signer::ed25519(1).key().thumbprint();
    let with = With::AccessToken { token: "another", jkt: &jkt };
    let request = Proof { with, ..request(&text, &jkt) };
    assert_eq!(verifier().check(&request, NOW), Err(Error::AccessToken));
}

#[test]
fn a_demanded_nonce_must_be_a_good_one() {
    let period = Duration::from_secs(10);
    let nonces = Arc::new(RotatingNonces::new(period, [1; 32], NOW - 10));
    let old = nonces.current(NOW - 10).unwrap();
    nonces.rotate([2; 32], NOW);
    let demanding = || Verifier::builder().nonces(Arc::clone(&nonces));
    let new = demanding().build().unwrap().nonce(NOW).unwrap();
    let with = |nonce: Value, now| {
        check_at(demanding(), &proof(&Signer::ed25519(1), json!({"nonce": nonce})), now)
    };
    for nonce in [&old, &new] {
        assert_eq!(with(json!(nonce), NOW).unwrap().nonce.as_deref(), Some(nonce.as_str()));
    }
    assert_eq!(with(json!(old), NOW + 10), Err(Error::Nonce));
    for nonce in [Value::Null, json!(""), json!("x")] {
        assert_eq!(with(nonce.clone(), NOW), Err(Error::Nonce), "{nonce}");
    }
    assert_eq!(Error::Nonce.challenge(), Some(ErrorCode::UseDpopNonce));
}

#[test]
fn without_demand_a_nonce_is_only_reported() {
    assert_eq!(verifier().nonce(NOW), None);
    assert_eq!(judge(json!({"nonce": "n"})).unwrap().nonce.as_deref(), Some("n"));
}

#[test]
fn a_proof_is_used_once_as_long_as_it_lives() {
    let (verifier, signer) = (verifier(), Signer::ed25519(1));
    let (text, jkt) = (proof(&signer, json!({"iat": NOW + 5})), signer.key().thumbprint());
    assert!(verifier.check(&request(&text, &jkt), NOW).is_ok());
    for now in [NOW, NOW + 35, NOW + 70] {
        assert_eq!(verifier.check(&request(&text, &jkt), now), Err(Error::Replayed), "{now}");
        assert_eq!(verifier.clone().check(&request(&text, &jkt), now), Err(Error::Replayed));
    }
    assert_eq!(verifier.check(&request(&text, &jkt), NOW + 71), Err(Error::TooOld));
    let again = proof(&signer, json!({"iat": NOW + 1}));
    assert_eq!(verifier.check(&request(&again, &jkt), NOW), Err(Error::Replayed));
    let other = proof(&signer, json!({"jti": "p2"}));
    assert!(verifier.check(&request(&other, &jkt), NOW).is_ok());
}

#[test]
fn a_clock_that_is_set_back_by_the_leeway_revives_no_proof() {
    let (verifier, signer) = (verifier(), Signer::ed25519(1));
    let jkt = signer.key().thumbprint();
    let text = proof(&signer, json!({}));
    assert!(verifier.check(&request(&text, &jkt), NOW).is_ok());
    let later = proof(&signer, json!({"jti": "p2", "iat": NOW + 70}));
    assert!(verifier.check(&request(&later, &jkt), NOW + 70).is_ok());
    assert_eq!(verifier.check(&request(&text, &jkt), NOW + 65), Err(Error::Replayed));
}

/// One proof of the thief's own, accepted during a glitch of the clock or for a caller who names
/// another time, used to empty the memory of used proofs.
#[test]
fn a_used_proof_stays_used_whatever_time_another_request_is_judged_at() {
    let (victim, thief) = (Signer::ed25519(1), Signer::ed25519(2));
    let (captured, jkt) = (proof(&victim, json!({})), victim.key().thumbprint());
    for ahead in [80, 300] {
        let verifier = verifier();
        assert!(verifier.check(&request(&captured, &jkt), NOW).is_ok());
        let own = proof(&thief, json!({"iat": NOW + ahead}));
        let its = thief.key().thumbprint();
        assert!(verifier.check(&request(&own, &its), NOW + ahead).is_ok());
        let again = verifier.check(&request(&captured, &jkt), NOW + 2);
        assert_eq!(again, Err(Error::Replayed), "{ahead}");
    }
}

#[test]
fn a_stranger_s_key_is_refused_before_its_signature_is_looked_at() {
    let unsigned = proof(&Signer::ed25519(2), json!({})).rsplit_once('.').unwrap().0.to_owned();
    let text = format!("{unsigned}.{}", b64([0; 64]));
    let jkt = Signer::ed25519(1).key().thumbprint();
    assert_eq!(verifier().check(&request(&text, &jkt), NOW), Err(Error::Binding));
    let request = Proof { with: With::NoAccessToken, ..request(&text, &jkt) };
    assert_eq!(verifier().check(&request, NOW), Err(Error::Signature));
}

#[test]
fn a_printed_proof_shows_neither_the_proof_nor_the_token_nor_the_query() {
    let with = With::AccessToken { token: "hunter2", jkt: "thumbprint" };
    let request =
        Proof { uri: "https://api.example/?code=hunter2", with, ..request("hunter2", "") };
    let printed = format!("{request:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(printed.contains("GET") && printed.contains("thumbprint"), "{printed}");
}

#[test]
fn one_name_under_two_keys_is_no_replay() {
    let verifier = verifier();
    for signer in [Signer::ed25519(1), Signer::ed25519(2)] {
        let (text, jkt) = (proof(&signer, json!({})), signer.key().thumbprint());
        assert!(verifier.check(&request(&text, &jkt), NOW).is_ok());
    }
}

#[test]
fn sixteen_requests_at_once_use_one_proof_once() {
    let (verifier, signer) = (verifier(), Signer::ed25519(1));
    let (text, jkt) = (proof(&signer, json!({})), signer.key().thumbprint());
    let start = Barrier::new(16);
    let present = || {
        start.wait();
        verifier.check(&request(&text, &jkt), NOW)
    };
    let verdicts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(present)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused = verdicts.iter().filter(|verdict| **verdict == Err(Error::Replayed)).count();
    assert_eq!((verdicts.iter().filter(|verdict| verdict.is_ok()).count(), refused), (1, 15));
}

/// Counts what it is asked and remembers nothing.
struct Silent(std::sync::atomic::AtomicUsize);

impl ReplayCache for Silent {
    fn remember(&self, proof: &Use<'_>, _now: u64) -> Remembered {
        assert_eq!((proof.jti, proof.until), ("p1", NOW + 70));
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Remembered::Unavailable
    }
}

#[test]
fn a_cache_that_cannot_answer_lets_nothing_through() {
    let cache = Arc::new(Silent(0.into()));
    let text = proof(&Signer::ed25519(1), json!({}));
    let verdict = check_at(Verifier::builder().replay_cache(Arc::clone(&cache)), &text, NOW);
    assert_eq!(verdict, Err(Error::ReplayUnavailable));
    assert_eq!(cache.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    let full = Verifier::builder().replay_cache(MemoryReplayCache::new(0));
    assert_eq!(check_at(full, &text, NOW), Err(Error::ReplayUnavailable));
}

#[test]
fn a_proof_that_is_refused_takes_no_room() {
    let cache = Arc::new(Silent(0.into()));
    let forged = Signer::ed25519(2)
        .mint_text(&header(&Signer::ed25519(1)).to_string(), &claims(json!({})).to_string());
    let refused =
        [json!({"ath": "x"}), json!({"htm": "x"}), json!({"htu": "x"}), json!({"iat": 0})]
            .map(|with| proof(&Signer::ed25519(1), with));
    let stranger = proof(&Signer::ed25519(2), json!({}));
    for text in refused.iter().chain([&forged, &stranger]) {
        let builder = Verifier::builder().replay_cache(Arc::clone(&cache));
        assert!(check_at(builder, text, NOW).is_err());
    }
    assert_eq!(cache.0.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn a_verifier_without_sense_is_not_built() {
    let seconds = Duration::from_secs;
    for (builder, code) in [
        (Verifier::builder().algorithms([]), "dpop_config.algorithms_empty"),
        (Verifier::builder().leeway(seconds(61)), "dpop_config.leeway_too_long"),
        (Verifier::builder().max_age(Duration::ZERO), "dpop_config.max_age_out_of_range"),
        (Verifier::builder().max_age(seconds(301)), "dpop_config.max_age_out_of_range"),
        (Verifier::builder().max_proof_bytes(65_537), "dpop_config.proof_limit_too_large"),
    ] {
        let error: ConfigError = builder.build().unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().starts_with('`') && !error.to_string().ends_with('.'));
    }
    let widest = Verifier::builder().leeway(seconds(60)).max_age(seconds(300));
    assert_eq!(widest.max_proof_bytes(65_536).build().unwrap().algorithms(), ALGORITHMS);
}

#[test]
fn the_length_of_a_proof_is_bounded() {
    let text = proof(&Signer::ed25519(1), json!({}));
    let at = |bytes| check_at(Verifier::builder().max_proof_bytes(bytes), &text, NOW);
    assert!(at(text.len()).is_ok());
    assert_eq!(at(text.len() - 1), Err(Error::TooLarge));
}

/// A proof for every code that [`Verifier::check`] and [`only_header`] give.
fn refused() -> Vec<(&'static str, Error)> {
    let signer = Signer::ed25519(1);
    let deep = signer.mint_text(&format!("{}{}", "[".repeat(40), "]".repeat(40)), "{}");
    let forged = Signer::ed25519(2).mint_text(&header(&signer).to_string(), "{}");
    let check = |text: &str| check_at(Verifier::builder(), text, NOW).unwrap_err();
    let full = Verifier::builder().replay_cache(MemoryReplayCache::new(0));
    let nonces = RotatingNonces::new(Duration::from_secs(9), [1; 32], NOW);
    let good = proof(&signer, json!({}));
    let verifier = verifier();
    let jkt = signer.key().thumbprint();
    verifier.check(&request(&good, &jkt), NOW).unwrap();
    vec![
        ("dpop.access_token", judge(json!({"ath": "hunter2"})).unwrap_err()),
        ("dpop.algorithm", judge_header(json!({"alg": "hunter2"})).unwrap_err()),
        ("dpop.binding", check(&proof(&Signer::ed25519(2), json!({})))),
        ("dpop.claim_invalid", judge(json!({"jti": ["hunter2"]})).unwrap_err()),
        ("dpop.claim_missing", judge(json!({"jti": null})).unwrap_err()),
        ("dpop.critical", judge_header(json!({"crit": ["hunter2"]})).unwrap_err()),
        ("dpop.duplicate_member", check(&signer.mint_text(r#"{"a":1,"a":1}"#, "{}"))),
        ("dpop.issued_in_future", judge(json!({"iat": NOW + 6})).unwrap_err()),
        ("dpop.key", judge_jwk(json!({"d": "hunter2"})).unwrap_err()),
        ("dpop.malformed", check("hunter2")),
        ("dpop.method", judge(json!({"htm": "hunter2"})).unwrap_err()),
        ("dpop.missing", only_header::<str>([]).unwrap_err()),
        ("dpop.multiple", only_header(["hunter2", "hunter2"]).unwrap_err()),
        ("dpop.nonce", check_at(Verifier::builder().nonces(nonces), &good, NOW).unwrap_err()),
        ("dpop.replay_unavailable", check_at(full, &good, NOW).unwrap_err()),
        ("dpop.replayed", verifier.check(&request(&good, &jkt), NOW).unwrap_err()),
        (
            "dpop.request_uri",
            verifier.check(&Proof { uri: "hunter2", ..request(&good, &jkt) }, NOW).unwrap_err(),
        ),
        ("dpop.signature", check(&forged)),
        ("dpop.too_old", judge(json!({"iat": 1})).unwrap_err()),
        ("dpop.too_deep", check(&deep)),
        ("dpop.too_large", check(&"hunter2".repeat(2000))),
        ("dpop.typ", judge_header(json!({"typ": "hunter2"})).unwrap_err()),
        ("dpop.uri", judge(json!({"htu": "https://hunter2/"})).unwrap_err()),
    ]
}

#[test]
fn every_code_of_a_proof_is_reached_and_repeats_nothing() {
    for (code, error) in refused() {
        assert_eq!(error.code(), code);
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{code}: {text}");
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{code}");
        let challenge = match code {
            "dpop.binding" => Some(ErrorCode::InvalidToken),
            "dpop.nonce" => Some(ErrorCode::UseDpopNonce),
            "dpop.replay_unavailable" | "dpop.request_uri" => None,
            _ => Some(ErrorCode::InvalidDpopProof),
        };
        assert_eq!(error.challenge(), challenge, "{code}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused_as_a_proof_without_panic(
        text in ".*", header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(),
    ) {
        let segments = format!("{}.{}.{}", b64(header), b64(claims), b64(text.as_bytes()));
        for text in [text, segments] {
            prop_assert!(check_at(Verifier::builder(), &text, NOW).is_err());
        }
    }

    #[test]
    fn any_signed_claims_are_judged_without_panic(
        htm in ".{0,4}", htu in "https://[^/]{0,5}/.{0,9}", iat in any::<f64>(), jti in ".{0,300}",
    ) {
        let with = json!({"htm": htm, "htu": htu, "iat": iat, "jti": jti});
        prop_assert!(judge(with).is_err());
    }

    #[test]
    fn no_change_of_a_byte_goes_unnoticed(index in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let good = proof(&Signer::ed25519(1), json!({}));
        let mut bytes = good.clone().into_bytes();
        let index = index.index(bytes.len());
        bytes[index] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(check_at(Verifier::builder(), &changed, NOW).is_ok(), changed == good);
    }
}
