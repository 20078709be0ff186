"""Callers as users of the project.

A caller is known by issuer and subject, and by nothing else: phone numbers and e-mail addresses
change hands, and a token may carry one that nobody verified. A project that has users already says
which of them a new caller is, by `USSO_LINK_USER`, the path of a function:

```python
def link_user(caller: UserData, request: HttpRequest) -> User | None:
    if caller.iss == "https://sso.example" and caller.claims.get("email_verified") is True:
        return User.objects.filter(email=caller.email).first()
    return None
```

It is called once for each new caller, from a thread where the database may be used. `None` makes a
new user, without a password; what it raises as `USSOException` refuses the caller.

A user who must not come back is to be made inactive: one who is deleted is a new caller again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, router, transaction
from django.db.models import EmailField
from django.http import HttpRequest

from usso._native import Refusal
from usso.exceptions import PermissionDenied, of_refusal
from usso.integrations.django._settings import creates_users, link_hook
from usso.user import UserData


class USSOUser:
    """A caller where users are not kept (`USSO_CREATE_USERS = False`): `request.user` then.

    It may do nothing in Django's own scheme of permissions; scopes say what it may do.
    """

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, user_data: UserData) -> None:
        self.user_data = user_data
        self.pk = self.id = link_key(user_data.iss or "", user_data.sub or "")

    @property
    def username(self) -> str:
        """The subject."""
        return self.user_data.sub or ""

    def get_username(self) -> str:
        """Gives the subject."""
        return self.username

    def __str__(self) -> str:
        return self.username

    def __eq__(self, other: object) -> bool:
        return isinstance(other, USSOUser) and other.pk == self.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Says no."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """Says no."""
        return False

    def has_module_perms(self, app_label: str) -> bool:
        """Says no."""
        return False


def usso_user(request: HttpRequest) -> UserData:
    """Gives the caller that a guard or the middleware knows.

    Raises `TokenNotFound` with `access.token_missing` if it is nobody.
    """
    found = getattr(request, "usso_user", None)
    if not isinstance(found, UserData):
        raise of_refusal(Refusal.missing())
    return found


def link_key(issuer: str, subject: str) -> str:
    """Gives the key of a link: SHA-256, in hex, of the issuer's length, issuer and subject."""
    return hashlib.sha256(f"{len(issuer)}:{issuer}{subject}".encode()).hexdigest()


def project_user(caller: UserData, request: Any) -> Any:
    """Gives the user that a caller is, and makes one for a new caller. Uses the database.

    Raises `PermissionDenied` with `access.user_inactive` if the user is not active.
    """
    if not creates_users():
        return USSOUser(caller)
    check_installed()
    user = _linked(caller, request)
    if not getattr(user, "is_active", True):
        raise PermissionDenied("access.user_inactive", message="This user is not active.")
    return user


def check_installed() -> None:
    """Raises `ImproperlyConfigured` if callers are to be users and there is no table of links."""
    if creates_users() and not apps.is_installed("usso.integrations.django"):
        raise ImproperlyConfigured(
            "add 'usso.integrations.django' to INSTALLED_APPS, or set USSO_CREATE_USERS = False"
        )


def _linked(caller: UserData, request: Any) -> Any:
    from usso.integrations.django.models import Link

    issuer, subject = caller.iss or "", caller.sub or ""
    if "\0" in issuer + subject:
        # Not every database can store it.
        raise of_refusal(Refusal.claims())
    link = {"key": link_key(issuer, subject), "issuer": issuer, "subject": subject}
    using = router.db_for_write(Link)
    found = _find(Link.objects.all(), link["key"])
    if found is not None:
        return found
    hook = link_hook()
    user = hook(caller, request) if hook else None
    try:
        with transaction.atomic(using=using):
            if user is None:
                user = _new_user(using)
            Link.objects.using(using).create(user=user, **link)
    except IntegrityError:
        # Another request of the same caller was faster. Replicas may not know it yet.
        found = _find(Link.objects.using(using), link["key"])
        if found is None:
            raise
        return found
    return user


def _find(links: Any, key: str) -> Any:
    link = links.select_related("user").filter(pk=key).first()
    return None if link is None else link.user


def _new_user(using: str) -> Any:
    """Makes a user whose name nobody can have taken before."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    name = f"usso_{secrets.token_hex(12)}"
    if isinstance(model._meta.get_field(model.USERNAME_FIELD), EmailField):
        name += "@users.invalid"
    user = model(**{model.USERNAME_FIELD: name})
    user.set_unusable_password()
    user.save(using=using)
    return user
