"""A backend for `django.contrib.auth`."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from usso.exceptions import USSOException
from usso.integrations.django._request import ajudge, judge
from usso.integrations.django._settings import creates_users, project_auth
from usso.integrations.django.users import project_user


class USSOAuthenticationBackend(BaseBackend):
    """Authenticates the request itself, by its token: `authenticate(request)`.

    It is not asked where a name and a password are to be checked: a cookie must not make a login
    form accept any password. It gives nobody where users are not kept.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        """Gives the user; `None` if there is no credential or it is not good."""
        if request is None or credentials or not creates_users():
            return None
        try:
            verdict = judge(project_auth(), request)
            return None if verdict.claims is None else project_user(verdict.user_data, request)
        except USSOException:
            return None

    async def aauthenticate(self, request: HttpRequest | None, **credentials: Any) -> Any:
        """Does as `authenticate`, without blocking."""
        if request is None or credentials or not creates_users():
            return None
        try:
            verdict = await ajudge(project_auth(), request)
            if verdict.claims is None:
                return None
            return await sync_to_async(project_user)(verdict.user_data, request)
        except USSOException:
            return None

    def get_user(self, user_id: Any) -> Any:
        """Gives the active user with this key; `None` if there is none."""
        model = get_user_model()
        try:
            user = model._default_manager.get(pk=user_id)
        except model.DoesNotExist:
            return None
        return user if user.is_active else None
