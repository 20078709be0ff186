"""Scopes: what a caller may do, to what, and under which conditions.

Everything is decided in Rust. A scope is `action:path?key=value&…`; the levels of actions are those
of `PrivilegeLevel`. What cannot be read, and any other action, grants nothing and is never granted.

Paths are compared from the right: `files` grants `media/files` and is granted by `media/files`.
With `strict` they are compared from the left, segment by segment, to the end of both, where `*`
stands for one segment, or as the last one for one or more: the choice for paths that users have a
say in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar, cast

from . import _native

_T = TypeVar("_T")


class PrivilegeLevel(IntEnum):
    """The levels of actions: each implies those below it, but nobody is granted `NONE`."""

    NONE = 0
    READ = 10
    CREATE = 20
    UPDATE = 30
    WRITE = 30
    DELETE = 40
    MANAGE = 50
    ADMIN = 60
    OWNER = 90
    STAR = 90
    SUPERADMIN = 100


PRIVILEGE_LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "*" if name == "STAR" else name.lower(): int(level)
        for name, level in PrivilegeLevel.__members__.items()
    }
)
"""The level of each action. For reading: Rust decides by the same ones."""


def parse_scope(scope: str) -> tuple[str, list[str], dict[str, str]]:
    """Gives action (empty if none is written), segments of the path, and filters.

    An empty segment is given as `*`. In the value of a filter `*` and `?` are wildcards; where they
    are meant literally they stay escaped (`%2A`, `%3F`), as in the scope. Raises `ValueError` for
    what is no scope.
    """
    _, path, filters = _native.parse_scope(scope)
    action, colon, _ = scope.partition("?")[0].partition(":")
    return action if colon else "", [segment or "*" for segment in path.split("/")], filters


def is_path_match(
    user_path: list[str] | str, requested_path: list[str] | str, strict: bool = False
) -> bool:
    """Says whether a granted path matches a requested one. In the latter a `*` is a `*`.

    Raises `TypeError` for what is neither text nor list.
    """
    granted, requested = _path(user_path), _path(requested_path)
    return _asked(lambda: _native.path_matches(granted, requested, strict), False)


def is_filter_match(user_filters: Mapping[str, str], requested_filters: Mapping[str, str]) -> bool:
    """Says whether a resource with these values meets all conditions of a scope.

    A condition without a value, or with one that is no text, is met by nothing.
    """
    if not user_filters:
        return True
    parts: list[object] = [*user_filters.keys(), *user_filters.values()]
    if not all(isinstance(part, str) for part in parts):
        return False
    keys = {"%": "%25", "&": "%26", "+": "%2B", "=": "%3D"}
    values = {"&": "%26", "+": "%2B"}
    pairs = (
        key.translate(str.maketrans(keys)) + "=" + value.translate(str.maketrans(values))
        for key, value in user_filters.items()
    )
    scope = "read:it?" + "&".join(pairs)
    resource = _values(requested_filters)
    return _asked(lambda: _native.check_access([scope], "it", "read", [resource]), False)


def get_scope_filters(
    action: str, resource: str, user_scopes: Iterable[str] | str | None
) -> list[dict[str, str]]:
    """Gives the conditions under which the action is allowed: one of these must be met.

    `[]` if it is not allowed at all, `[{}]` if it is without conditions.
    """
    granted = _scopes(user_scopes)
    filters = _asked(lambda: _native.scope_filters(granted, resource, action), None)
    return [] if filters is None else (filters or [{}])


def broadest_scope_filter(filters: Iterable[Mapping[str, str]]) -> dict[str, str] | None:
    """Gives the condition that limits least; the first of equals.

    `None` if there is none, so that nothing is allowed; `{}` if there is no limit. `tenant_id`
    counts 1, `workspace_id` 2, `user_id` 4, `uid` 8, any other key 16; the value `*` nothing.
    """
    weights = {"tenant_id": 1, "workspace_id": 2, "user_id": 4, "uid": 8}

    def narrowness(one: Mapping[str, str]) -> int:
        return sum(weights.get(key, 16) for key, value in one.items() if value != "*")

    broadest = min(filters, key=narrowness, default=None)
    return None if broadest is None else dict(broadest)


def owner_authorization(
    requested_filter: Mapping[str, str] | None = None,
    user_id: str | None = None,
    self_action: str = "owner",
    action: str = "read",
    owner_id: str | None = None,
    workspace_id: str | None = None,
    workspace_action: str | None = None,
) -> bool:
    """Says whether a caller may act on what is its own or its workspace's, without a scope.

    `requested_filter` is the resource: its `user_id` and `owner_id` are compared with the caller's
    (`owner_id`, else `user_id`), its `workspace_id` with the caller's only. `self_action` is the
    most the caller may do with what is its own, `workspace_action` (else the same) with what is the
    workspace's.
    """
    shared = self_action if workspace_action is None else workspace_action
    known = _native.action_level(self_action or ""), _native.action_level(shared or "")
    if not requested_filter or None in known:
        return False
    resource, caller = _values(requested_filter), owner_id or user_id or ""
    return _asked(
        lambda: _native.owner_allows(
            caller, self_action, workspace_id or None, shared, action, resource
        ),
        False,
    )


def is_authorized(
    user_scope: str,
    requested_path: list[str] | str,
    requested_action: str | None = "read",
    requested_filter: Mapping[str, str] | None = None,
    *,
    strict: bool = False,
) -> bool:
    """Says whether one scope allows the action (`None`: `read`) on the path.

    `requested_filter` is the resource, of which the scope's conditions must hold.
    """
    return check_access(
        [user_scope], requested_path, requested_action, filters=requested_filter, strict=strict
    )


def check_access(
    user_scopes: Iterable[str] | str | None,
    resource_path: list[str] | str,
    action: str | None = None,
    *,
    filters: Sequence[Mapping[str, str]] | Mapping[str, str] | None = None,
    strict: bool = False,
) -> bool:
    """Says whether one of the scopes allows the action (`None`: `read`) on the path.

    `filters` is the resource: all conditions of the scope must hold of it. Of several, in a list,
    they must hold of one; of an empty list they never do.
    """
    several = [filters or {}] if filters is None or isinstance(filters, Mapping) else filters
    resources = [_values(cast("Mapping[str, str]", one)) for one in several]
    granted, path = _scopes(user_scopes), _path(resource_path)
    wanted = "read" if action is None else action
    return bool(resources) and _asked(
        lambda: _native.check_access(granted, path, wanted, resources, strict), False
    )


def is_subset_scope(*, subset_scope: str, super_scope: str) -> bool:
    """Says whether all that the one scope grants is granted by the other."""
    return has_subset_scope(subset_scope=subset_scope, user_scopes=[super_scope])


def has_subset_scope(*, subset_scope: str, user_scopes: Iterable[str] | str | None) -> bool:
    """Says whether all that the scope grants is granted by one of the others.

    What is no scope is inside none, so that a slip of the pen is not met by everyone.
    """
    granted = _scopes(user_scopes)
    return _asked(lambda: _native.has_subset_scope(subset_scope, granted), False)


def get_common_scopes(
    *, scopes_a: Iterable[str] | str | None, scopes_b: Iterable[str] | str | None
) -> list[str]:
    """Gives the scopes that both have, in the order given: those of `scopes_a` first."""
    a, b = _scopes(scopes_a), _scopes(scopes_b)
    return _asked(lambda: _native.common_scopes(a, b), [])


def _asked(question: Callable[[], _T], no: _T) -> _T:
    """Asks; text that Rust cannot hold (a lone surrogate, out of JSON) gets a no."""
    try:
        return question()
    except UnicodeEncodeError:
        return no


def _scopes(scopes: Iterable[object] | str | None) -> list[str]:
    """One text is one scope, not its characters; what is no text grants nothing."""
    several = [scopes] if isinstance(scopes, str) else scopes or ()
    return [scope for scope in several if isinstance(scope, str)]


def _path(path: list[str] | str) -> str:
    """Joins segments; one with a slash in it would shift the others, and matches nothing."""
    if isinstance(path, str):
        return path
    if not isinstance(path, list):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("a path is a text or a list of segments")
    return "" if any("/" in segment for segment in path) else "/".join(path)


def _values(resource: Mapping[str, object]) -> dict[str, str]:
    """`None` is no value."""
    return {str(key): str(value) for key, value in resource.items() if value is not None}
