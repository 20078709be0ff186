"""A guard for class-based views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from usso._native import Rule
from usso.integrations.django.decorators import aguard, guard


class USSOAuthMixin:
    """Lets callers in who have these scopes and roles. Comes before `View` among the bases.

    Raises `ValueError` when the class is made if a scope is not one.
    """

    required_scopes: Sequence[str] = ()
    required_roles: Sequence[str] = ()
    _rule = Rule()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for names in (cls.required_scopes, cls.required_roles):
            if isinstance(names, str):
                raise ValueError(f"{cls.__name__}: write a list of names, not a text")
        cls._rule = Rule(scopes=cls.required_scopes, roles=cls.required_roles)

    def dispatch(self, request: HttpRequest, *args: Any, **parameters: Any) -> Any:
        """Calls the view's method if the caller may; else gives the refusal."""

        def view() -> Any:
            return super(USSOAuthMixin, self).dispatch(request, *args, **parameters)  # type: ignore[misc]

        admit = aguard if getattr(self, "view_is_async", False) else guard
        return admit(self._rule, request, parameters, view)
