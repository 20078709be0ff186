"""The caller as apps see them: one for each request, the same whichever way it is made."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import Any

import pytest
from core.tokens import ABSENT, AUDIENCE, ISSUER, Signer, signer, unb64
from pydantic import BaseModel

from usso import UserData, UssoAuth
from usso.exceptions import PermissionDenied
from usso.user import TokenType


class Employee(UserData):
    """An app's own type."""

    department: str = "none"


CLAIM_SETS: list[dict[str, Any]] = [
    {},
    {"token_type": ABSENT},
    {"aud": [AUDIENCE, "other"]},
    {"aud": [AUDIENCE]},
    {"scopes": ["read:a"], "roles": ["r", "r"], "amr": ["password"]},
    {"scope": "read:a read:b"},
    {"scopes": ["read:b"], "scope": "read:a read:b"},
    {"exp": int(time.time()) + 900.5, "iat": int(time.time()) - 0.5},
    {"tenant_id": "o", "workspace_id": "w", "session_id": "s", "acr": "1", "signing_level": "2"},
    {"user_id": "u7", "email": "a@b.example", "phone": None, "user_name": ""},
    {"client_id": "c", "auth_time": 1700000000, "act": {"sub": "agent"}},
    {"claims": {"color": "red"}},
    {"claims": "text"},
    {"claims": None},
    {"x": {"y": [1, 2.5, None, {"z": "\U0001f600"}]}, "n": 2**63, "big": 2**70, "half": -0.5},
    {
        "self": 1,
        "cls": 2,
        "data": 3,
        "model_config": 4,
        "__dict__": {"sub": "x"},
        "model_fields": 5,
    },
]


@pytest.fixture
def ed() -> Signer:
    return signer("EdDSA")


@pytest.fixture
def auth(ed: Signer) -> UssoAuth[UserData]:
    return ed.auth()


def minted(one: Signer, changes: dict[str, Any]) -> str:
    names = {name: value for name, value in changes.items() if name != "self"}
    return one.mint(**names)


def named(changes: dict[str, Any]) -> str:
    return ",".join(changes) or "plain"


def as_employee(one: Signer, token: str) -> Employee:
    return UssoAuth(one.config(), user_schema=Employee).verify_token(token)


def test_a_user_has_the_claims_of_the_token(auth: Any, ed: Signer) -> None:
    user = auth.verify_token(ed.mint(scopes=["read:a"], roles=["r"], tenant_id="o", color="red"))
    assert (user.iss, user.sub, user.aud, user.jti) == (ISSUER, "user:1", AUDIENCE, "t1")
    assert (user.scopes, user.roles, user.tenant_id) == (["read:a"], ["r"], "o")
    assert user.token_type is TokenType.ACCESS
    assert user.claims["color"] == "red" and user.claims["sub"] == "user:1"
    assert user.workspace_id is None and user.amr == []


def test_the_user_id_is_the_claim_or_the_subject(auth: Any, ed: Signer) -> None:
    for value, expected in (("u7", "u7"), ("", "user:1"), (None, "user:1"), (ABSENT, "user:1")):
        assert auth.verify_token(ed.mint(user_id=value)).user_id == expected


def test_absent_names_are_empty_texts(auth: Any, ed: Signer) -> None:
    user = auth.verify_token(ed.mint(phone=None))
    assert (user.phone, user.email, user.user_name) == ("", "", "")


def test_each_call_gives_a_user_of_its_own(auth: Any, ed: Signer) -> None:
    token = ed.mint(scopes=["read:a"], roles=["r"], x={"y": [1]})
    first, before = auth.verify_token(token), auth.verify_token(token)
    first.scopes.append("*:*")
    first.roles.clear()
    first.claims["sub"] = "user:2"
    first.claims["x"]["y"].append(2)
    first.claims["scopes"].append("*:*")
    first.sub = "user:2"
    again = auth.verify_token(token)
    assert not auth.verify(token).fresh
    assert again == before
    assert (again.sub, again.scopes, again.claims["x"]) == ("user:1", ["read:a"], {"y": [1]})


def test_each_call_gives_claims_of_its_own(auth: Any, ed: Signer) -> None:
    token = ed.mint(scopes=["read:a"])
    caller = auth.verify(token)
    caller.to_dict()["scopes"].append("*:*")
    assert caller.to_dict()["scopes"] == auth.verify(token).to_dict()["scopes"] == ["read:a"]
    with pytest.raises(AttributeError):
        caller.sub = "user:2"


def test_claims_are_given_as_the_issuer_wrote_them(auth: Any, ed: Signer) -> None:
    token = ed.mint(scope="read:a", exp=int(time.time()) + 900.5, x=[None, {"a": 1.5}])
    caller = auth.verify(token)
    written = json.loads(unb64(token.split(".")[1]))
    assert caller.to_dict() == json.loads(caller.json()) == written


@pytest.mark.parametrize("changes", CLAIM_SETS, ids=named)
def test_the_fast_way_gives_what_the_validating_way_gives(ed: Signer, changes: Any) -> None:
    token = minted(ed, changes)
    fast, slow = ed.auth().verify_token(token), as_employee(ed, token)
    assert slow.model_dump(exclude={"department"}) == fast.model_dump()
    assert slow.claims == fast.claims


@pytest.mark.parametrize("changes", CLAIM_SETS, ids=named)
def test_a_user_is_a_whole_pydantic_model(auth: Any, ed: Signer, changes: Any) -> None:
    user = auth.verify_token(minted(ed, changes))
    for other in (
        pickle.loads(pickle.dumps(user)),  # noqa: S301
        copy.copy(user),
        copy.deepcopy(user),
        user.model_copy(),
        user.model_copy(deep=True),
    ):
        assert other == user and other.model_fields_set == user.model_fields_set
        assert other is not user
    again = UserData.model_validate(user.model_dump())
    assert again.model_dump(exclude={"claims"}) == user.model_dump(exclude={"claims"})
    read = json.loads(user.model_dump_json())
    assert read["sub"] == "user:1" and read["token_type"] in ("access", None)


def test_a_copy_in_depth_shares_nothing(auth: Any, ed: Signer) -> None:
    user = auth.verify_token(ed.mint(scopes=["read:a"]))
    copy.deepcopy(user).scopes.append("*:*")
    assert user.scopes == ["read:a"]


def test_a_user_can_be_changed_and_dumped(auth: Any, ed: Signer) -> None:
    user = auth.verify_token(ed.mint())
    user.tenant_id = "o"
    assert "tenant_id" in user.model_fields_set and user.model_dump()["tenant_id"] == "o"
    assert "workspace_id" not in user.model_dump()
    assert user.model_dump(exclude_none=False)["workspace_id"] is None


def test_an_app_s_own_type_is_filled(ed: Signer) -> None:
    user = as_employee(ed, ed.mint(department="sales", scopes=["read:a"]))
    assert type(user) is Employee
    assert (user.department, user.scopes, user.sub) == ("sales", ["read:a"], "user:1")
    assert pickle.loads(pickle.dumps(user)) == user  # noqa: S301


def test_the_type_of_a_token_is_the_enum_s_member_for_every_model(ed: Signer) -> None:
    user = as_employee(ed, ed.mint())
    assert user.token_type is TokenType.ACCESS


def test_a_type_that_is_no_user_data_is_filled(ed: Signer) -> None:
    class Subject(BaseModel):
        sub: str

    user = UssoAuth(ed.config(), user_schema=Subject).verify_token(ed.mint())
    assert user == Subject(sub="user:1")


def test_claims_that_do_not_fit_the_app_s_type_are_refused(ed: Signer) -> None:
    auth = UssoAuth(ed.config(), user_schema=Employee)
    token = ed.mint(department=["sales", "secret-department"])
    with pytest.raises(PermissionDenied) as caught:
        auth.verify_token(token)
    assert caught.value.error_code == "access.claims"
    assert "secret-department" not in f"{caught.value!r}{caught.value.body()}"
    assert auth.user_data_from_token(token, raise_exception=False) is None


@pytest.mark.parametrize("nested", ["text", 1, ["a"], True, [["sub", "user:2"]]])
def test_a_claim_named_claims_of_any_type_raises_nothing(ed: Signer, nested: Any) -> None:
    for user in (
        ed.auth().verify_token(ed.mint(claims=nested)),
        as_employee(ed, ed.mint(claims=nested)),
    ):
        assert user.claims["claims"] == nested


def test_custom_claims_do_not_pass_for_those_of_the_issuer(ed: Signer) -> None:
    """USSO nests what users may write about themselves in the claim `claims`."""
    custom = {"user_id": "victim", "email": "victim@b.example", "sub": "victim", "roles": ["admin"]}
    token = ed.mint(claims=custom)
    for user in (ed.auth().verify_token(token), as_employee(ed, token)):
        assert (user.user_id, user.email, user.sub, user.roles) == ("user:1", "", "user:1", [])
        assert user.claims["claims"] == custom


def test_a_user_can_only_do_what_its_scopes_say(auth: Any, ed: Signer) -> None:
    user = auth.verify_token(ed.mint(scopes=["read:files?user_id=7"]))
    assert user.can("read", "files", user_id="7")
    assert not user.can("read", "files", user_id="8")
    assert not user.can("read", "files")
    assert not user.can("delete", "files", user_id="7")
    assert not auth.verify_token(ed.mint()).can("read", "files")


def test_service_accounts_are_told_apart(auth: Any, ed: Signer) -> None:
    assert auth.verify_token(ed.mint(sub="service:7")).is_service
    assert not auth.verify_token(ed.mint(sub="user:service:7")).is_service
