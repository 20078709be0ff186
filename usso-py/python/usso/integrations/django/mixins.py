"""A guard for class-based views."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.http import HttpRequest
from django.views import View

from usso._native import Rule
from usso.integrations.django.decorators import aguard, guard


class USSOAuthMixin:
    """Lets callers in who have these scopes and roles. Comes before `View` among the bases.

    They are set in the class or by `as_view(required_scopes=[…])`. Raises `ValueError` there if a
    scope is not one, and `TypeError` if a view among the bases would pass the guard by.
    """

    required_scopes: Sequence[str] = ()
    required_roles: Sequence[str] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__mro__[: cls.__mro__.index(USSOAuthMixin)]:
            own = "dispatch" in vars(base) and not issubclass(base, USSOAuthMixin)
            if own and issubclass(base, View):
                raise TypeError(f"{cls.__name__}: put USSOAuthMixin before {base.__name__}")
        _rule(cls.__name__, cls.required_scopes, cls.required_roles)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """Makes the view. Raises `ValueError` if a scope is not one."""
        named = {"scopes": cls.required_scopes, "roles": cls.required_roles}
        given = {kind: initkwargs.get(f"required_{kind}", names) for kind, names in named.items()}
        _rule(cls.__name__, **given)
        return super().as_view(**initkwargs)  # type: ignore[misc]

    def dispatch(self, request: HttpRequest, *args: Any, **parameters: Any) -> Any:
        """Calls the view's method if the caller may; else gives the refusal."""

        def view() -> Any:
            return super(USSOAuthMixin, self).dispatch(request, *args, **parameters)  # type: ignore[misc]

        admit = aguard if getattr(self, "view_is_async", False) else guard
        rule = _rule(type(self).__name__, self.required_scopes, self.required_roles)
        return admit(rule, request, parameters, view)


def _rule(view: str, scopes: Any, roles: Any) -> Rule:
    for names in (scopes, roles):
        # What can be read only once would ask for nothing the second time.
        if isinstance(names, str) or not isinstance(names, Collection):
            raise ValueError(f"{view}: write a list of names")
    return Rule(scopes=list(scopes), roles=list(roles))
