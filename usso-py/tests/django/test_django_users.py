"""Callers as users of the project."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django_site
import pytest
import table
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from usso.integrations.django import USSOAuthenticationMiddleware
from usso.integrations.django.models import Link
from usso.integrations.django.users import USSOUser, link_key, project_user
from usso.testing import Issuer
from usso.user import UserData


def user_for(client: Client, issuer: Issuer, subject: str, **claims: Any) -> int:
    """Sends a request of this caller; gives the key of the user that Django saw."""
    answer = client.get("/user", headers=issuer.authorization(subject, **claims))
    assert answer.status_code == 200, answer.content
    assert answer.json()["usso"] == subject
    return answer.json()["pk"]


def test_callers_without_a_phone_are_different_users(client: Client, issuer: Issuer) -> None:
    alice, bob = user_for(client, issuer, "user:alice"), user_for(client, issuer, "user:bob")
    assert alice != bob


def test_callers_whose_phone_is_null_are_different_users(client: Client, issuer: Issuer) -> None:
    without = [{"phone": None, "claims": {"phone": None}}, {"phone": ""}]
    assert len({user_for(client, issuer, f"user:{n}", **c) for n, c in enumerate(without)}) == 2


def test_one_phone_in_two_tenants_is_two_users(client: Client, issuer: Issuer) -> None:
    phone = "+989123456789"
    one = user_for(client, issuer, "user:1", phone=phone, tenant_id="org_1")
    two = user_for(client, issuer, "user:2", phone=phone, tenant_id="org_2")
    assert one != two


def test_one_subject_of_two_issuers_is_two_users(client: Client, issuer: Issuer) -> None:
    other = Issuer("https://other.example")
    with override_settings(USSO_JWT_CONFIG=[issuer.config(), other.config()]):
        assert user_for(client, issuer, "user:1") != user_for(client, other, "user:1")


def test_issuer_and_subject_cannot_run_into_each_other() -> None:
    assert link_key("https://a", "b") != link_key("https://", "ab")


@pytest.mark.parametrize("other", ["user:ALICE", "user:alice ", "user:alic\u00e9"])
def test_subjects_that_a_database_may_take_for_one_are_two(
    client: Client, issuer: Issuer, other: str
) -> None:
    # MySQL compares without case and trailing spaces; digests differ to it as well.
    user_for(client, issuer, "user:alice"), user_for(client, issuer, other)
    keys = [link.key for link in Link.objects.all()]
    assert len(set(keys)) == 2
    assert all(len(key) == 64 and set(key) <= set("0123456789abcdef") for key in keys)


def test_a_caller_stays_the_same_user(client: Client, issuer: Issuer) -> None:
    first = user_for(client, issuer, "user:alice", phone="1", email="a@example.com")
    assert user_for(client, issuer, "user:alice", phone="2", email="b@example.com") == first
    assert User.objects.count() == Link.objects.count() == 1


def test_nothing_of_the_claims_becomes_the_name(client: Client, issuer: Issuer) -> None:
    claims = {"phone": "+989123456789", "email": "alice@example.com", "user_name": "alice"}
    made = User.objects.get(pk=user_for(client, issuer, "user:alice", **claims))
    assert made.username.startswith("usso_")
    assert not any(claim in made.username for claim in ["alice", "9123", *claims.values()])
    assert made.email == ""
    assert not made.has_usable_password()


def test_an_email_address_links_nobody_by_itself(client: Client, issuer: Issuer) -> None:
    root = User.objects.create_superuser("root", "root@example.com", "secret")
    claims = {"email": "root@example.com", "email_verified": True, "user_name": "root"}
    assert user_for(client, issuer, "root", **claims) != root.pk


def test_a_name_that_was_taken_before_links_nobody(client: Client, issuer: Issuer) -> None:
    key = link_key(issuer.name, "user:alice")
    for name in ["user:alice", f"usso_{key}", f"usso_{key[:32]}", f"usso_{key[:24]}"]:
        User.objects.create_user(name, password="of the attacker")
    assert User.objects.get(pk=user_for(client, issuer, "user:alice")).password.startswith("!")


@pytest.fixture
def hook() -> Iterator[list[str | None]]:
    """Has the project link callers by their e-mail address; gives who was asked about."""
    django_site.ASKED.clear()
    with override_settings(USSO_LINK_USER="django_site.link_by_email"):
        yield django_site.ASKED


def test_the_hook_of_the_project_links_users_it_has(
    client: Client, issuer: Issuer, hook: list[str | None]
) -> None:
    bob = User.objects.create_user("bob", "bob@example.com", "secret")
    assert user_for(client, issuer, "user:1", email="bob@example.com") == bob.pk
    assert user_for(client, issuer, "user:1") == bob.pk
    assert hook == ["user:1"]
    assert User.objects.count() == 1


def test_the_hook_gives_none_for_a_new_user(
    client: Client, issuer: Issuer, hook: list[str | None]
) -> None:
    bob = User.objects.create_user("bob", "bob@example.com", "secret")
    assert user_for(client, issuer, "user:2") != bob.pk
    assert hook == ["user:2"]


def test_the_hook_may_refuse(client: Client, issuer: Issuer, hook: list[str | None]) -> None:
    answer = client.get("/user", headers=issuer.authorization("user:1", banned=True))
    assert (answer.status_code, answer.json()["error_code"]) == (403, "app.banned")
    assert User.objects.count() == 0


def test_an_inactive_user_is_refused(client: Client, issuer: Issuer) -> None:
    pk = user_for(client, issuer, "user:alice")
    User.objects.filter(pk=pk).update(is_active=False)
    answer = client.get("/maybe", headers=issuer.authorization("user:alice"))
    assert (answer.status_code, answer.json()["error_code"]) == (403, "access.user_inactive")


def test_a_subject_that_no_database_can_store_is_refused(client: Client, issuer: Issuer) -> None:
    answer = client.get("/user", headers=issuer.authorization("user:\0"))
    assert answer.status_code in (401, 403)
    assert Link.objects.count() == 0


def test_first_requests_at_once_make_one_user(issuer: Issuer) -> None:
    token, start = issuer.mint("user:alice"), threading.Barrier(12)

    def send(port: int) -> tuple[int, str]:
        start.wait(10)
        status, _, body = table.exchange(
            port, "GET", "/user", [("authorization", f"Bearer {token}")]
        )
        return status, body

    with django_site.serve_wsgi() as port, ThreadPoolExecutor(12) as pool:
        answers = {future.result(30) for future in [pool.submit(send, port) for _ in range(12)]}
    assert {status for status, _ in answers} == {200}
    assert len(answers) == 1
    assert User.objects.count() == Link.objects.count() == 1


def test_of_two_that_found_no_user_one_makes_it(issuer: Issuer) -> None:
    both = threading.Barrier(2)

    def nobody(caller: UserData, request: Any) -> None:
        both.wait(10)

    def find() -> Any:
        try:
            return project_user(UserData(iss=issuer.name, sub="user:alice"), None).pk
        finally:
            connection.close()

    with override_settings(USSO_LINK_USER=nobody), ThreadPoolExecutor(2) as pool:
        found = {future.result(30) for future in [pool.submit(find), pool.submit(find)]}
    assert len(found) == 1
    assert User.objects.count() == Link.objects.count() == 1


def test_the_table_has_a_caller_once() -> None:
    one, two = User.objects.create_user("one"), User.objects.create_user("two")
    Link.objects.create(key=link_key("i", "s"), issuer="i", subject="s", user=one)
    with pytest.raises(IntegrityError):
        Link.objects.create(key=link_key("i", "s"), issuer="i", subject="s", user=two)


def test_the_database_is_left_alone_without_a_credential(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/maybe").content == b"nobody"
    assert len(queries) == 0


def test_a_refused_credential_costs_no_query(client: Client, issuer: Issuer) -> None:
    with CaptureQueriesContext(connection) as queries:
        token = issuer.expired("user:alice")
        assert client.get("/maybe", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert len(queries) == 0


def test_a_known_caller_costs_one_query(client: Client, issuer: Issuer) -> None:
    user_for(client, issuer, "user:alice")
    with CaptureQueriesContext(connection) as queries:
        user_for(client, issuer, "user:alice")
    assert len(queries) == 1


def test_the_token_comes_before_the_session(client: Client, issuer: Issuer) -> None:
    bob = User.objects.create_user("bob", password="secret")
    client.force_login(bob, "django.contrib.auth.backends.ModelBackend")
    assert user_for(client, issuer, "user:alice") != bob.pk


def test_without_a_credential_the_session_stays(client: Client) -> None:
    bob = User.objects.create_user("bob", password="secret")
    client.force_login(bob, "django.contrib.auth.backends.ModelBackend")
    answer = client.get("/user").json()
    assert (answer["pk"], answer["usso"]) == (bob.pk, None)


def test_users_may_be_left_out(client: Client, issuer: Issuer) -> None:
    headers = issuer.authorization("user:alice")
    with (
        override_settings(USSO_CREATE_USERS=False),
        CaptureQueriesContext(connection) as queries,
    ):
        answer = client.get("/user", headers=headers).json()
    assert (answer["name"], answer["known"]) == ("user:alice", True)
    assert len(queries) == 0


def test_a_caller_who_is_no_user_of_the_project_may_nothing_by_itself() -> None:
    alice, again, bob = (USSOUser(UserData(iss="i", sub=sub)) for sub in "aab")
    assert alice == again != bob
    assert alice.pk != bob.pk
    allowed = [alice.has_perm("x"), alice.has_perms(["x"]), alice.has_module_perms("x")]
    assert not any([*allowed, alice.is_staff, alice.is_superuser])


def test_users_without_the_table_of_links_are_an_error_at_the_start() -> None:
    apps = ["django.contrib.auth", "django.contrib.contenttypes"]
    with (
        override_settings(INSTALLED_APPS=apps),
        pytest.raises(ImproperlyConfigured, match="USSO_CREATE_USERS"),
    ):
        USSOAuthenticationMiddleware(lambda request: None)


def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "usso", check=True, dry_run=True, verbosity=0)


def test_a_request_without_djangos_middleware_has_a_user_too(issuer: Issuer) -> None:
    request = RequestFactory().get("/")
    assert USSOAuthenticationMiddleware(lambda request: None).process_request(request) is None
    assert not request.user.is_authenticated
