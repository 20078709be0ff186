"""FastAPI: what a route sees of its caller, and what a refused one gets."""

import asyncio
import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from table import exchange, serve_asgi
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from usso._native import check_jwk
from usso.exceptions import InsufficientScope, TokenExpired, USSOException
from usso.integrations.fastapi import EXCEPTION_HANDLERS, USSOAuthentication, get_authenticator
from usso.schemas import UserData
from usso.testing import Issuer


class Colored(BaseModel):
    color: str


@pytest.fixture
def app(issuer: Issuer) -> FastAPI:
    authenticator = get_authenticator(issuer.config(allow_origins=["https://app.example"]))
    app = FastAPI()

    @app.get("/me")
    def me(user: UserData = Depends(authenticator)) -> dict[str, Any]:
        return {"sub": user.sub, "roles": user.roles}

    @app.get("/user")
    def user(user: Annotated[UserData, Depends(authenticator)]) -> UserData:
        return user

    @app.get("/files/{id}")
    async def file(
        id: str, user: UserData = Security(authenticator, scopes=["read:files?id={id}"])
    ):
        return id

    @app.get("/items")
    async def items(user: UserData = Security(authenticator, scopes=["items", "me"])):
        return user.sub

    @app.get("/optional")
    async def optional(user: UserData | None = Depends(authenticator.optional)):
        return user and user.sub

    @app.get("/authorized")
    async def authorized(
        user: UserData = Depends(
            authenticator.authorize(
                action="read", resource_path="files", filter_data={"owner": "alice"}
            )
        ),
    ):
        return user.sub

    @app.post("/change")
    async def change(user: UserData = Depends(authenticator)):
        return user.sub

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, user: UserData = Depends(authenticator)):
        await websocket.accept()
        await websocket.send_text(user.sub or "")
        await websocket.close()

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_a_caller_is_known(client: TestClient, issuer: Issuer) -> None:
    answer = client.get("/me", headers=issuer.authorization("user:alice", roles=["admin"]))
    assert answer.json() == {"sub": "user:alice", "roles": ["admin"]}


def test_a_caller_can_be_the_answer(client: TestClient, issuer: Issuer) -> None:
    answer = client.get("/user", headers=issuer.authorization("user:alice", color="blue"))
    assert answer.json()["claims"]["color"] == "blue"
    assert answer.json()["sub"] == "user:alice"


def test_no_token_is_401_and_not_500_without_any_handler(client: TestClient) -> None:
    answer = client.get("/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
    assert answer.json()["detail"]["error_code"] == "access.token_missing"


def test_a_refusal_has_ussos_shape_where_the_handlers_are_installed(issuer: Issuer) -> None:
    app = FastAPI(exception_handlers=EXCEPTION_HANDLERS)
    app.get("/")(_needs(get_authenticator(issuer.config())))
    answer = TestClient(app).get("/", headers={"Authorization": f"Bearer {issuer.expired()}"})
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "token.expired"
    assert set(answer.json()["message"]) == {"en"}


def _needs(dependency: Any) -> Any:
    async def handler(user: UserData = Depends(dependency)) -> Any:
        return user

    return handler


@pytest.mark.parametrize("kind", [TokenExpired, USSOException])
def test_an_app_can_answer_a_refusal_by_its_class(issuer: Issuer, kind: type[Exception]) -> None:
    app = FastAPI()
    app.get("/")(_needs(get_authenticator(issuer.config())))

    @app.exception_handler(kind)
    async def mine(request: Any, error: Any) -> JSONResponse:
        return JSONResponse({"mine": error.error_code}, 418)

    answer = TestClient(app).get("/", headers={"Authorization": f"Bearer {issuer.expired()}"})
    assert (answer.status_code, answer.json()) == (418, {"mine": "token.expired"})


def test_a_scope_may_look_at_the_path(client: TestClient, issuer: Issuer) -> None:
    headers = issuer.authorization(scopes=["read:files?id=7"])
    assert client.get("/files/7", headers=headers).status_code == 200
    refused = client.get("/files/8", headers=headers)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


def test_plain_scopes_must_all_be_there(client: TestClient, issuer: Issuer) -> None:
    both = issuer.authorization(scope="me items")
    assert client.get("/items", headers=both).status_code == 200
    assert client.get("/items", headers=issuer.authorization(scope="me")).status_code == 403
    assert client.get("/items", headers=issuer.authorization()).status_code == 403


def test_authorize_compares_the_values_of_the_resource(client: TestClient, issuer: Issuer) -> None:
    for owner, status in (("alice", 200), ("bob", 403)):
        headers = issuer.authorization(scopes=[f"read:files?owner={owner}"])
        assert client.get("/authorized", headers=headers).status_code == status


def test_an_optional_caller_is_nobody_only_without_a_credential(
    client: TestClient, issuer: Issuer
) -> None:
    nobody = client.get("/optional")
    assert (nobody.status_code, nobody.json()) == (200, None)
    assert "authorization" in nobody.headers["vary"]
    assert client.get("/optional", headers=issuer.authorization()).json() == "user:1"
    refused = client.get("/optional", headers={"Authorization": f"Bearer {issuer.expired()}"})
    assert refused.status_code == 401


def test_a_cookie_needs_proof_of_its_page_to_change_something(
    client: TestClient, issuer: Issuer
) -> None:
    client.cookies.set("usso-access-token", issuer.mint())
    assert client.get("/me").headers["cache-control"] == "private"
    assert client.post("/change").status_code == 403
    evil = client.post("/change", headers={"Origin": "https://evil.example"})
    assert evil.json()["detail"]["error_code"] == "request.cross_site"
    own = client.post("/change", headers={"Origin": "https://app.example"})
    assert own.status_code == 200


def test_the_scheme_and_the_scopes_are_in_the_documentation(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["USSO"]["scheme"] == "bearer"
    assert schema["paths"]["/me"]["get"]["security"] == [{"USSO": []}]
    assert schema["paths"]["/items"]["get"]["security"] == [{"USSO": ["items", "me"]}]
    # What the dependency reads is no parameter of the route.
    assert "parameters" not in schema["paths"]["/me"]["get"]


def test_claims_of_another_shape_are_403(issuer: Issuer) -> None:
    app = FastAPI()
    auth = USSOAuthentication(issuer.config(), user_schema=Colored)

    @app.get("/")
    async def route(user: Colored = Depends(auth)) -> str:
        return user.color

    client = TestClient(app)
    assert client.get("/", headers=issuer.authorization(color="blue")).json() == "blue"
    refused = client.get("/", headers=issuer.authorization())
    assert refused.status_code == 403
    assert refused.json()["detail"]["error_code"] == "access.claims"


def test_who_asks_for_none_gets_none_for_a_refused_caller(issuer: Issuer) -> None:
    app = FastAPI()
    auth = USSOAuthentication(issuer.config(), raise_exception=False)

    @app.get("/")
    async def route(user: UserData | None = Depends(auth)) -> str:
        return "nobody" if user is None else "somebody"

    client = TestClient(app)
    assert client.get("/").json() == "nobody"
    assert client.get("/", headers={"Authorization": "Bearer x"}).json() == "nobody"
    assert client.get("/", headers=issuer.authorization()).json() == "somebody"


def test_the_blocking_form_raises_what_can_be_answered(issuer: Issuer) -> None:
    app = FastAPI()
    auth = USSOAuthentication(issuer.config())
    app.get("/")(_needs(auth.usso_access_security))
    client = TestClient(app)
    # The parameter `request` is a connection to FastAPI too.
    assert client.get("/").status_code == 401
    assert client.get("/", headers=issuer.authorization()).json()["sub"] == "user:1"


def test_a_misspelt_scope_is_an_error_when_the_dependency_is_made(issuer: Issuer) -> None:
    auth = get_authenticator(issuer.config())
    with pytest.raises(ValueError, match="raed"):
        auth.require("raed:files")


def test_a_refusal_is_of_the_class_the_verifier_raised(issuer: Issuer) -> None:
    caught: list[Exception] = []
    app = FastAPI()
    auth = get_authenticator(issuer.config())

    @app.exception_handler(USSOException)
    async def mine(request: Any, error: Exception) -> JSONResponse:
        caught.append(error)
        return JSONResponse({}, 403)

    app.get("/")(_needs(auth.require("read:files")))
    TestClient(app).get("/", headers=issuer.authorization())
    assert isinstance(caught[0], InsufficientScope)


async def _websocket(port: int, headers: dict[str, str]) -> str:
    try:
        async with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers) as socket:
            return str(await socket.recv())
    except InvalidStatus as refused:
        return str(refused.response.status_code)


def test_a_websocket_knows_its_caller_and_refuses_the_handshake(
    app: FastAPI, issuer: Issuer
) -> None:
    cookie = {"Cookie": f"usso-access-token={issuer.mint()}"}
    with serve_asgi(app) as port:
        asked = [
            _websocket(port, headers)
            for headers in (
                issuer.authorization("user:alice"),
                {},
                {"Authorization": "Bearer x"},
                cookie,
                {**cookie, "Origin": "https://evil.example"},
                {**cookie, "Origin": "https://app.example"},
            )
        ]

        async def all_of_them() -> list[str]:
            return [await one for one in asked]

        answers = asyncio.run(all_of_them())
    assert answers == ["user:alice", "401", "401", "403", "403", "user:1"]


def test_an_exception_of_the_apps_own_verification_has_its_challenge(issuer: Issuer) -> None:
    app = FastAPI(exception_handlers=EXCEPTION_HANDLERS)
    auth = get_authenticator(issuer.config())

    @app.get("/")
    async def route() -> None:
        await auth.averify("x")

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "token.malformed")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_tokens_of_another_type_are_taken_where_they_are_expected(issuer: Issuer) -> None:
    app = FastAPI()
    auth = USSOAuthentication(issuer.config(), expected_token_type="secure")
    app.get("/")(_needs(auth))
    client = TestClient(app)
    secure = issuer.authorization(token_type="secure")
    assert client.get("/", headers=secure).status_code == 200
    assert client.get("/", headers=issuer.authorization()).status_code == 401
    access = FastAPI()
    access.get("/")(_needs(get_authenticator(issuer.config())))
    assert TestClient(access).get("/", headers=secure).status_code == 401


def proven(issuer: Issuer, path: str) -> dict[str, str]:
    """Gives the headers of a GET with a token that is bound to a key, and that key's proof."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    token = issuer.mint(cnf={"jkt": check_jwk(json.dumps(jwk))})
    digest = hashlib.sha256(token.encode()).digest()
    claims = {
        "jti": str(uuid.uuid4()),
        "htm": "GET",
        "htu": f"https://api.example{path}",
        "iat": int(time.time()),
        "ath": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    }
    proof = jwt.encode(claims, key, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk})
    return {"authorization": f"DPoP {token}", "dpop": proof}


def test_a_proof_is_for_the_path_as_it_was_sent(issuer: Issuer) -> None:
    auth = get_authenticator(issuer.config(public_url="https://api.example"))
    app = FastAPI()

    @app.get("/files/{name}")
    async def route(name: str, user: UserData = Depends(auth)) -> str:
        return name

    headers = list(proven(issuer, "/files/a%20b").items())
    with serve_asgi(app) as port:
        status, answered, body = exchange(port, "GET", "/files/a%20b", headers)
        assert (status, json.loads(body)) == (200, "a b")
        # The same proof again is a replay, and the answer says both ways to authenticate.
        status, answered, _ = exchange(port, "GET", "/files/a%20b", headers)
    assert status == 401
    challenges = answered["www-authenticate"]
    assert 'Bearer realm="api"' in challenges
    assert 'DPoP realm="api"' in challenges


@pytest.mark.parametrize("way", ["optional", "require", "authorize", "blocking", "async"])
def test_scopes_of_security_count_with_every_dependency(issuer: Issuer, way: str) -> None:
    auth = get_authenticator(issuer.config())
    dependencies = {
        "optional": auth.optional,
        "require": auth.require("read:files"),
        "authorize": auth.authorize(action="read", resource_path="files"),
        "blocking": auth.usso_access_security,
        "async": auth.usso_access_security_async,
    }
    app = FastAPI()

    @app.get("/")
    async def route(user: Any = Security(dependencies[way], scopes=["admin:all"])) -> str:
        return user.sub

    client = TestClient(app)
    assert client.get("/").status_code == 401
    low = issuer.authorization(scopes=["read:files"])
    assert client.get("/", headers=low).status_code == 403
    high = issuer.authorization(scopes=["read:files", "admin:all"])
    assert client.get("/", headers=high).status_code == 200


def test_a_proof_is_used_once_by_several_dependencies(issuer: Issuer) -> None:
    auth = get_authenticator(issuer.config(public_url="https://api.example"))
    app = FastAPI(dependencies=[Depends(auth)])

    @app.get("/")
    async def route(user: UserData = Depends(auth.require(service=False))) -> str:
        return user.sub

    headers = proven(issuer, "/")
    client = TestClient(app)
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/", headers=headers).status_code == 401
