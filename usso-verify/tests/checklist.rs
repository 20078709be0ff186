//! What the best verifier does, point by point, and the tests that show it. A test that is renamed
//! or removed is missed here.
#![cfg(test)]

use std::fs;
use std::path::Path;

const POINTS: [(&str, &[&str]); 37] = [
    (
        "the algorithm comes from the key (RFC 8725 §3.1)",
        &["t1_the_header_s_alg_must_be_the_key_s", "t3_without_alg_the_kind_of_key_decides"],
    ),
    (
        "an allow-list for each issuer; `none` cannot be said; names are exact (§3.1, §3.2)",
        &[
            "t1_alg_none_in_any_case_is_refused_signed_or_not",
            "an_algorithm_the_issuer_does_not_allow_is_refused",
        ],
    ),
    (
        "a public key is never a shared secret (CVE-2026-48526)",
        &[
            "t2_hs256_with_the_public_key_in_any_encoding_is_refused",
            "t2_an_hmac_tag_under_the_key_s_own_algorithm_name_is_refused",
        ],
    ),
    (
        "kty, crv, alg, use and key_ops fit; private members are refused (RFC 7517)",
        &[
            "t3_a_kty_or_crv_that_does_not_fit_is_refused",
            "t3_a_key_for_another_use_is_refused",
            "t3_key_ops_must_allow_to_verify_and_repeat_nothing",
            "t3_a_private_or_symmetric_key_is_refused",
        ],
    ),
    (
        "RSA of 2048 to 8192 bits, e odd and at least 65537, no ROCA",
        &[
            "t15_an_rsa_modulus_outside_2048_to_8192_bits_is_refused",
            "t15_an_rsa_exponent_below_65537_or_even_or_huge_is_refused",
            "every_rsa_key_of_theirs_passes_but_those_of_a_small_exponent",
        ],
    ),
    (
        "points on the curve; Ed25519 canonical, not of small order, S reduced",
        &[
            "t15_a_point_off_the_curve_is_refused",
            "t15_ed25519_keys_of_small_order_are_refused",
            "t15_an_ed25519_signature_with_the_order_added_is_refused",
            "t15_an_ed25519_signature_of_small_order_is_refused",
        ],
    ),
    ("two keys of one kid are both refused", &["two_keys_of_one_kid_are_both_refused"]),
    ("crit is refused (RFC 7515 §4.1.11)", &["t6_crit_is_refused_whatever_it_holds"]),
    ("b64 is refused (RFC 7797)", &["t6_b64_is_refused_whatever_it_holds"]),
    (
        "jwk, jku, x5u and x5c are never used or fetched (RFC 8725 §3.10)",
        &["t4_a_key_in_the_header_is_never_used"],
    ),
    (
        "strict base64url, exactly three segments",
        &[
            "t12_the_signature_has_one_spelling",
            "t12_padding_whitespace_and_control_characters_are_refused_anywhere",
            "t13_any_number_of_segments_but_three_is_malformed",
        ],
    ),
    (
        "no member twice, at any level",
        &[
            "t7_a_header_member_given_twice_is_refused",
            "t7_a_claim_given_twice_is_refused_at_any_level",
        ],
    ),
    (
        "UTF-8, depth, header and token size are bounded",
        &[
            "bytes_that_are_not_utf_8_are_malformed",
            "t14_deep_json_is_refused_in_header_and_claims",
            "t14_a_header_over_four_kibibytes_is_refused",
            "t14_a_token_over_the_limit_is_refused_unread",
        ],
    ),
    (
        "compact JWS only",
        &["t13_an_encrypted_token_is_refused", "t13_the_json_serialisation_is_refused"],
    ),
    ("typ is explicit (RFC 8725 §3.11)", &["t10_a_token_of_another_typ_is_refused"]),
    ("RFC 9068's required claims", &["an_rfc_9068_token_needs_its_claims_and_no_token_type"]),
    (
        "iss is exact, and keys are found by issuer and kid",
        &[
            "t8_an_issuer_that_is_not_exactly_the_configured_one_is_unknown",
            "t11_the_key_of_one_tenant_does_not_sign_for_another",
        ],
    ),
    ("iss in an array is refused", &["t8_an_issuer_in_an_array_is_refused"]),
    (
        "aud is required; text or list; any of or all of",
        &[
            "t9_a_token_for_another_audience_is_refused",
            "t9_one_accepted_audience_among_several_is_enough",
            "every_audience_must_be_there_when_all_are_wanted",
        ],
    ),
    (
        "sub is there and not empty; the actor is shown",
        &["an_empty_subject_is_refused", "the_actor_groups_and_entitlements_are_shown"],
    ),
    (
        "exp is required and a sensible number",
        &[
            "t7_a_missing_required_claim_is_refused",
            "t7_a_time_takes_a_number_of_the_years_1970_to_9999_only",
        ],
    ),
    ("nbf is checked", &["t18_a_token_is_refused_before_its_start_less_leeway"]),
    (
        "30 seconds of leeway, at most 120",
        &["t18_the_default_leeway_is_thirty_seconds", "a_leeway_is_at_most_two_minutes"],
    ),
    (
        "iat not ahead; greatest age; longest life",
        &[
            "t18_a_token_from_the_future_is_refused",
            "a_token_ages_until_it_is_too_old_although_it_has_not_expired",
            "a_token_made_to_live_too_long_is_refused_from_the_start",
        ],
    ),
    ("the clock is a port", &["verify_asks_the_clock"]),
    ("`Ed25519` beside `EdDSA` (RFC 9864)", &["the_fully_specified_name_of_ed25519_is_accepted"]),
    ("unknown keys in a set are skipped and counted", &["one_bad_key_of_five_is_skipped_and_told"]),
    (
        "scope as text and list; roles, groups, entitlements",
        &["the_words_of_scope_join_the_scopes_once", "the_actor_groups_and_entitlements_are_shown"],
    ),
    ("step-up (RFC 9470)", &["a_stronger_or_fresher_authentication_is_asked_for_in_the_challenge"]),
    (
        "DPoP (RFC 9449)",
        &[
            "rfc_9449_7_1_the_published_resource_request_is_confirmed",
            "sixteen_requests_at_once_use_one_proof_once",
            "a_bound_token_sent_as_plain_bearer_is_refused_also_when_it_is_remembered",
            "exactly_one_header_is_taken",
        ],
    ),
    (
        "certificates (RFC 8705)",
        &[
            "rfc_8705_a_every_form_gives_the_published_thumbprint",
            "a_certificate_bound_token_needs_that_certificate",
        ],
    ),
    (
        "revocation, looked at on cache hits",
        &["a_token_is_refused_from_the_moment_it_is_called_back_although_it_is_remembered"],
    ),
    (
        "opaque tokens and API keys, the same principal",
        &[
            "tokens_keys_and_opaque_tokens_give_the_same_principal",
            "two_hundred_requests_with_one_key_ask_once",
            "credentials_of_others_are_never_sent",
        ],
    ),
    (
        "many issuers; the unknown one is refused before any request",
        &[
            "an_unknown_issuer_is_refused_before_any_request",
            "a_pattern_accepts_the_tenants_that_there_are_each_with_its_own_keys",
        ],
    ),
    (
        "keys: storm, outage, rotation, empty set, HTML, size, redirect, slow answers, clock",
        &[
            "a_storm_of_unknown_kids_costs_one_fetch_per_cooldown_and_known_kids_never_wait",
            "an_outage_at_expiry_fails_no_known_kid_and_makes_none_wait",
            "a_rotation_adds_uses_and_removes",
            "an_empty_set_keeps_the_old_one",
            "html_with_200_keeps_the_old_set",
            "a_set_of_ten_megabytes_keeps_the_old_one",
            "a_redirect_is_not_followed",
            "a_server_that_dawdles_is_given_up",
            "a_clock_set_forward_makes_the_set_overdue_or_expired",
            "another_key_under_the_same_kid_is_noticed_once_per_cooldown",
        ],
    ),
    (
        "codes are stable, reachable and repeat nothing; observers",
        &[
            "every_code_is_reached_by_a_token",
            "no_refusal_repeats_what_the_token_said",
            "an_observer_is_told_what_came_of_each_token",
        ],
    ),
    (
        "one form never waits, the other fetches; clones are shared between threads",
        &[
            "the_first_token_fetches_the_keys_and_the_next_ones_do_not",
            "a_verifier_is_shared_between_threads_and_prints_no_key",
        ],
    ),
];

#[test]
fn every_point_has_its_tests() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    for folder in fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).into_iter().flatten() {
            sources += &fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        }
    }
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/json.rs");
    sources += &fs::read_to_string(json).unwrap();
    for (point, tests) in POINTS {
        for test in tests {
            assert!(sources.contains(&format!("fn {test}")), "{point}: {test}");
        }
    }
}
