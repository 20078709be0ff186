"""A project with a user model of its own, in a process of its own: Django has one for a process."""

from __future__ import annotations

import django
from django.conf import settings

from usso.testing import Issuer

issuer = Issuer()
settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    AUTH_USER_MODEL="people.Person",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "people",
        "usso.integrations.django",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIGRATION_MODULES={"people": None},
    MIDDLEWARE=["usso.integrations.django.middleware.USSOAuthMiddleware"],
    ROOT_URLCONF=__name__,
    USSO_JWT_CONFIG=issuer.config(),
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.validators import validate_email  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402
from people.models import Person  # noqa: E402


def user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


urlpatterns = [path("user", user)]


def pk_of(subject: str, **claims: str) -> str:
    answer = Client().get("/user", headers=issuer.authorization(subject, **claims))
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    owner = Person.objects.create(email="owner@example.com")
    alice = pk_of("user:alice", email="owner@example.com")
    made = Person.objects.get(pk=alice)
    assert alice != str(owner.pk)
    assert alice == pk_of("user:alice")
    assert alice != pk_of("user:bob")
    assert made.email.endswith(".invalid")
    validate_email(made.email)
    assert not made.has_usable_password()
    print("all is well")
