"""What is imported when, and that every documented name is there."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import usso

SOURCES = Path(usso.__file__).parents[1]
HEAVY = (
    "httpx",
    "fastapi",
    "starlette",
    "django",
    "rest_framework",
    "flask",
    "cryptography",
    "anyio",
)

NAMES = {
    "usso": "APIHeaderConfig AsyncUssoClient AuthConfig ConfigError HeaderConfig JWTConfig "
    "PermissionDenied USSOAuth USSOError USSOException UserData UssoAuth UssoClient",
    "usso.api_key": "fetch_api_key_data fetch_api_key_data_async",
    "usso.auth": "USSOAuth UssoAuth",
    "usso.authorization": "PRIVILEGE_LEVELS PrivilegeLevel broadest_scope_filter check_access "
    "get_common_scopes get_scope_filters has_subset_scope is_authorized is_filter_match "
    "is_path_match is_subset_scope owner_authorization parse_scope",
    "usso.client": "AsyncUssoClient UssoClient",
    "usso.client.base_client": "jwt_from_token payload_scopes",
    "usso.config": "APIHeaderConfig AuthConfig AvailableJwtConfigs HeaderConfig JWTConfig "
    "JWTHeaderConfig",
    "usso.enums": "ActivationStatus AuthIdentifier AuthSecret ChannelType LoginStatus",
    "usso.exceptions": "InsufficientScope PermissionDenied PermissionDeniedError TokenExpired "
    "TokenInvalid TokenNotFound USSOError USSOException error_messages",
    "usso.integrations.django": "USSOAuthenticationBackend USSOAuthenticationMiddleware "
    "USSOAuthentication",
    "usso.integrations.django.decorators": "require_auth require_scope",
    "usso.integrations.django.middleware": "USSOAuthMiddleware USSOAuthenticationMiddleware",
    "usso.integrations.django.mixins": "USSOAuthMixin",
    "usso.integrations.fastapi": "EXCEPTION_HANDLERS USSOAuthentication get_authenticator "
    "usso_exception_handler",
    "usso.integrations.flask": "USSO",
    "usso.schemas": "Identifier JWTConfig LoginRequest OTPRequest Secret UserData "
    "UserIdentifierSchema UserResponse",
    "usso.scope_catalog": "fetch_client_credentials_token put_scope_catalog register_scope_catalog "
    "scopes_from_resource_paths scopes_from_routers",
    "usso.testing": "Issuer",
    "usso.user": "TokenType UserData",
    "usso.utils": "generate_agent_jwt get_agent_token get_agent_token_async kid_from_verify_key "
    "register_agent register_agent_async",
    "usso.utils.string_utils": "get_authorization_scheme_param",
    "usso.utils.validators": "canonicalize_identifier convert_to_english_digits "
    "determine_identifier_type infer_identifier_type validate_email validate_phone "
    "validate_telegram_id validate_username",
    "usso_jwt": "JWT JWTConfig",
    "usso_jwt.algorithms": "AbstractKey ECDSAKey EdDSAKey HMACKey RSAKey convert_key_to_jwk "
    "from_cryptography_key get_algorithm normalize_alg",
    "usso_jwt.config": "JWTConfig",
    "usso_jwt.enums": "Algorithm TokenType",
    "usso_jwt.exceptions": "JWKNotFoundError JWTError JWTExpiredError JWTInvalidACRError "
    "JWTInvalidAudienceError JWTInvalidFormatError JWTInvalidIssuerError "
    "JWTInvalidSignatureError JWTInvalidTokenTypeError JWTIssuedInFutureError "
    "JWTMaximumAgeError JWTMissingAudienceError JWTNotValidYetError",
    "usso_jwt.schemas": "JWT UnverifiedJWT",
    "usso_jwt.sign": "SignInput create_jwt_header generate_jwt sign_jwt_parts",
    "usso_jwt.verify": "VerifyOptions extract_jwt_parts fetch_jwk verify_claims verify_jwt "
    "verify_maximum_age verify_signature verify_temporal_claims",
}

DJANGO = """
import django
from django.conf import settings
apps = ["django.contrib.auth", "django.contrib.contenttypes", "usso.integrations.django"]
config = {"jwks_url": "https://a.example/k", "audience": "a"}
settings.configure(INSTALLED_APPS=apps, USSO_JWT_CONFIG=config)
django.setup()
"""


def run(code: str, *flags: str) -> str:
    """Runs code in a new interpreter, and gives what it prints."""
    script = f"import sys; sys.path.insert(0, {str(SOURCES)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, *flags, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> set[str]:
    """The heavy modules that code loads."""
    printed = run(f"{code}\nimport json; print(json.dumps(sorted(sys.modules)))")
    return {name.partition(".")[0] for name in json.loads(printed)} & {
        *HEAVY,
        "pydantic",
        "usso_jwt",
    }


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_by("import usso") == set()


def test_importing_what_verifies_loads_pydantic_and_nothing_heavier() -> None:
    for code in ("from usso import UssoAuth, AuthConfig", "import usso.auth", "import usso.config"):
        assert loaded_by(code) == {"pydantic", "usso_jwt"}
    assert loaded_by("from usso import UserData, USSOException") == {"pydantic"}


def test_verifying_with_keys_at_hand_loads_nothing_heavier() -> None:
    code = """
import json
from usso import AuthConfig, UssoAuth, _native
issuer = _native.TestIssuer("https://sso.example")
auth = UssoAuth(AuthConfig(jwks=issuer.jwks(), issuer=issuer.name, audience="a"))
assert auth.verify_token(issuer.mint(json.dumps({"aud": "a"}))).sub == "user:1"
try:
    auth.verify("x")
except Exception as error:
    assert error.error_code == "token.malformed"
"""
    assert loaded_by(code) == {"pydantic", "usso_jwt"}


def test_the_plugin_of_pytest_loads_nothing_until_it_is_used() -> None:
    assert loaded_by("import usso.testing.plugin") <= {"pydantic", "usso_jwt"}


@pytest.mark.parametrize("module", NAMES)
def test_every_documented_name_is_there(module: str) -> None:
    if module.startswith("usso.integrations.django"):
        run(f"{DJANGO}\nfrom {module} import {NAMES[module].replace(' ', ', ')}")
        return
    found = import_module(module)
    missing = [name for name in NAMES[module].split() if not hasattr(found, name)]
    assert missing == []


def test_every_public_name_of_the_package_can_be_imported_with_a_star() -> None:
    printed = run("from usso import *\nprint(sorted(name for name in dir() if name != 'sys'))")
    import usso

    assert set(usso.__all__) <= set(json.loads(printed.replace("'", '"')))
    assert set(usso.__all__) <= set(dir(usso))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import usso

    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = usso.nothing_of_that_name  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        from usso import nothing_of_that_name  # type: ignore[attr-defined]  # noqa: F401


def test_the_version_is_that_of_the_distribution_or_an_error_of_importlib() -> None:
    code = """
import usso, importlib.metadata as metadata
try:
    expected = metadata.version("usso")
except metadata.PackageNotFoundError:
    expected = None
try:
    given = usso.__version__
except metadata.PackageNotFoundError:
    given = None
assert given == expected, (given, expected)
"""
    run(code)


def test_importing_everything_gives_no_warning() -> None:
    frameworks = (
        "usso.integrations.django",
        "usso.integrations.flask",
        "usso.integrations.fastapi",
    )
    modules = [name for name in NAMES if not name.startswith(frameworks)]
    run("\n".join(f"import {name}" for name in modules), "-W", "error")
