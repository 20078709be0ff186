"""Scopes by the published names, and the holes of the published package."""

from __future__ import annotations

import pytest

from usso import _native, authorization
from usso.authorization import (
    PRIVILEGE_LEVELS,
    PrivilegeLevel,
    broadest_scope_filter,
    check_access,
    get_common_scopes,
    get_scope_filters,
    has_subset_scope,
    is_authorized,
    is_filter_match,
    is_path_match,
    is_subset_scope,
    owner_authorization,
    parse_scope,
)


@pytest.mark.parametrize(
    ("granted", "requested", "expected"),
    [
        ("files", "files", True),
        ("library/files", "files", True),
        ("media/library/files", "files", True),
        ("media//files", "files", True),
        ("media//files", "library/files", True),
        ("media//files", "media/files", True),
        ("media//files", "media/library/files", True),
        ("files", "library/files", True),
        ("*/files", "library/files", True),
        ("*//files", "library/files", True),
        ("//files", "library/files", True),
        ("//files", "media/library/files", True),
        ("media/files/*", "media/files/old", True),
        ("*/*/old", "media/files/old", True),
        ("media/*/old", "media/images/old", True),
        ("files", "file", False),
        ("files", "files/old", False),
        ("files", "media/files/old", False),
        ("media/files", "media/files/old", False),
        ("*/media/*", "old", False),
    ],
)
def test_paths_match_from_the_right(granted: str, requested: str, expected: bool) -> None:
    assert is_path_match(granted, requested) is expected
    assert is_path_match(granted.split("/"), requested.split("/")) is expected


def test_a_strict_path_is_compared_from_the_left_and_lengths_that_differ_are_no_error() -> None:
    assert is_path_match("media/files", "media/files", strict=True)
    assert is_path_match("media/*", "media/a/b", strict=True)
    assert not is_path_match("files", "media/files", strict=True)
    assert not is_path_match("media/files", "files", strict=True)


def test_a_strict_decision_compares_paths_from_the_left() -> None:
    assert check_access(["read:files"], "media/files")
    assert not check_access(["read:files"], "media/files", strict=True)
    assert not is_authorized("read:files", "media/files", strict=True)
    assert is_authorized("read:media/*", "media/files", strict=True)


@pytest.mark.parametrize("requested", ["*", "", "a//files", "files/", "../files", "%2e%2e/files"])
def test_a_requested_path_that_a_user_made_up_matches_nothing_special(requested: str) -> None:
    assert not is_path_match("finance/files", requested)
    assert not check_access(["read:finance/files"], requested)


def test_a_segment_with_a_slash_in_it_does_not_shift_the_others() -> None:
    assert not is_path_match("tenant-a/files", ["tenant-b/tenant-a", "files"])


def test_a_path_is_a_text_or_a_list() -> None:
    with pytest.raises(TypeError):
        is_path_match("files", 1)  # type: ignore[arg-type]


def test_the_levels_are_those_of_the_core() -> None:
    names = [*(level.name.lower() for level in PrivilegeLevel), "write", "*"]
    assert set(names) == {*PRIVILEGE_LEVELS} - {"star"}
    for name, level in PRIVILEGE_LEVELS.items():
        assert _native.action_level(name) == level, name


def test_the_levels_cannot_be_changed_without_effect() -> None:
    with pytest.raises(TypeError):
        PRIVILEGE_LEVELS["publish"] = 20  # type: ignore[index]


def test_a_scope_has_action_path_and_filters() -> None:
    assert parse_scope("read:media/files?user_id=a%20b") == (
        "read",
        ["media", "files"],
        {"user_id": "a b"},
    )
    assert parse_scope("media//files") == ("", ["media", "*", "files"], {})
    assert parse_scope("write:files")[0] == "write"
    assert parse_scope("*:*") == ("*", ["*"], {})
    assert parse_scope("files?at=10:30") == ("", ["files"], {"at": "10:30"})


@pytest.mark.parametrize("scope", ["", "read:", "publish:files", "files?user_id=", "files?x=%zz"])
def test_what_is_no_scope_is_an_error_and_grants_nothing(scope: str) -> None:
    with pytest.raises(ValueError):
        parse_scope(scope)
    assert not check_access([scope], "files", "read", filters={"user_id": ""})
    assert get_scope_filters("read", "files", [scope]) == []
    assert not is_subset_scope(subset_scope=scope, super_scope="*:*")


@pytest.mark.parametrize("action", ["DELETE", "publish", "", "Read", "none"])
def test_an_unknown_action_is_denied(action: str) -> None:
    assert not check_access(["read:users", "superadmin:*"], "users", action)
    assert not is_authorized("read:users", "users", action)
    assert get_scope_filters(action, "users", ["read:users"]) == []


def test_to_write_is_more_than_to_read() -> None:
    assert not check_access(["read:users"], "users", "write")
    assert check_access(["write:users"], "users", "update")
    assert check_access(["write:users"], "users", "create")
    assert not check_access(["write:users"], "users", "delete")


def test_no_action_is_to_read() -> None:
    assert check_access(["users"], "users")
    assert is_authorized("users", "users", None)
    assert not is_authorized("none:users", "users", None)


def test_all_conditions_of_a_scope_must_hold() -> None:
    scopes = ["read:files?user_id=a&tenant_id=t"]
    assert check_access(scopes, "files", filters={"user_id": "a", "tenant_id": "t"})
    assert not check_access(scopes, "files", filters={"user_id": "a", "tenant_id": "other"})
    assert not check_access(scopes, "files", filters={"user_id": "a"})
    assert not check_access(scopes, "files", filters=[{"user_id": "a"}, {"tenant_id": "t"}])
    assert not check_access(scopes, "files")


def test_of_several_resources_one_must_meet_the_conditions() -> None:
    scopes = ["read:files?uid=1"]
    assert check_access(scopes, "files", filters=[{"uid": "2"}, {"uid": "1"}])
    assert not check_access(scopes, "files", filters=[{"uid": "2"}])


def test_of_no_resources_none_is_allowed() -> None:
    assert not check_access(["*:*"], "files", filters=[])
    assert check_access(["*:*"], "files", filters={})


def test_one_scope_as_text_is_not_read_letter_by_letter() -> None:
    assert not check_access("read:*x", "files")
    assert check_access("read:files", "files")
    assert get_scope_filters("read", "files", "read:*x") == []


def test_no_scopes_grant_nothing() -> None:
    for nothing in (None, [], ()):
        assert not check_access(nothing, "files")
        assert not has_subset_scope(subset_scope="read:files", user_scopes=nothing)


def test_what_is_no_text_grants_nothing() -> None:
    odd: list[object] = [None, 5, ["*:*"], {"*:*": 1}]
    assert not check_access(odd, "files")  # type: ignore[arg-type]
    assert check_access([*odd, "files"], "files")  # type: ignore[list-item]


def test_text_that_is_no_unicode_is_denied_and_not_an_error() -> None:
    lone = "\ud800"
    assert not check_access([lone], "files")
    assert not check_access(["*:*"], lone)
    assert not check_access(["*:*"], "files", lone)
    assert not check_access(["read:files?a=*"], "files", filters={"a": lone})
    assert not is_path_match("*", lone)
    assert not is_filter_match({"a": "*"}, {"a": lone})
    assert not has_subset_scope(subset_scope=lone, user_scopes=["*:*"])
    assert get_scope_filters("read", "files", [lone]) == []
    assert get_common_scopes(scopes_a=[lone], scopes_b=["*:*"]) == []
    assert not owner_authorization({"user_id": lone}, user_id=lone)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a*", "abc", True),
        ("a?", "ab", True),
        ("a?", "a", False),
        ("[ab]", "a", False),
        ("A", "a", False),
        ("a&b=c", "a&b=c", True),
        ("a+b", "a+b", True),
        ("a b", "a b", True),
        ("%2A", "*", True),
        ("%2A", "x", False),
        ("", "", False),
        ("é", "é", True),
    ],
)
def test_a_condition_is_met_by_what_it_stands_for(
    condition: str, value: str, expected: bool
) -> None:
    assert is_filter_match({"k": condition}, {"k": value, "other": "x"}) is expected


def test_every_condition_must_be_met_and_none_needs_nothing() -> None:
    assert is_filter_match({}, {})
    assert is_filter_match({"a=b": "1", "c": "2"}, {"a=b": "1", "c": "2"})
    assert not is_filter_match({"a": "1", "c": "2"}, {"a": "1"})
    assert not is_filter_match({"a": "*"}, {})
    assert not is_filter_match({"a": "*"}, {"a": None})  # type: ignore[dict-item]
    assert is_filter_match({"a": "1"}, {"a": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize("condition", [None, True, 1, ("a",), b"a"])
def test_a_condition_that_is_no_text_is_met_by_nothing(condition: object) -> None:
    assert not is_filter_match({"a": condition}, {"a": str(condition)})  # type: ignore[dict-item]
    assert not is_filter_match({condition: "x"}, {str(condition): "x"})  # type: ignore[dict-item]


def test_filters_that_were_parsed_still_mean_the_same() -> None:
    for value in ("%2A", "a%26b", "a%2Bb", "50%25", "a*", "x+y"):
        scope = f"read:files?k={value}"
        filters = parse_scope(scope)[2]
        for text in ("*", "a&b", "a+b", "50%", "abc", "x y", "other"):
            expected = check_access([scope], "files", filters={"k": text})
            assert is_filter_match(filters, {"k": text}) is expected, (value, text)


def test_nothing_granted_is_not_the_same_as_no_limit() -> None:
    assert get_scope_filters("read", "files", ["read:files"]) == [{}]
    assert get_scope_filters("read", "files", []) == []
    assert get_scope_filters("read", "files", ["read:files?user_id=a", "read:files?uid=1"]) == [
        {"user_id": "a"},
        {"uid": "1"},
    ]
    assert broadest_scope_filter([]) is None
    assert broadest_scope_filter([{}]) == {}


def test_none_grants_no_filters() -> None:
    assert get_scope_filters("write", "files", ["none:files", "read:files"]) == []


def test_the_broadest_filter_limits_least() -> None:
    narrow, broad = {"uid": "1"}, {"workspace_id": "w", "tenant_id": "t"}
    assert broadest_scope_filter([narrow, broad]) == broad
    assert broadest_scope_filter([narrow, {"color": "*"}]) == {"color": "*"}
    assert broadest_scope_filter([{"color": "red"}, {"user_id": "a", "uid": "1"}]) == {
        "user_id": "a",
        "uid": "1",
    }


def test_the_broadest_filter_is_a_copy() -> None:
    filters = [{"user_id": "a"}]
    broadest = broadest_scope_filter(filters)
    assert broadest is not None
    broadest.clear()
    assert filters == [{"user_id": "a"}]


def test_an_owner_may_do_up_to_its_own_action() -> None:
    assert owner_authorization({"user_id": "u"}, user_id="u", action="delete")
    assert owner_authorization({"owner_id": "u"}, user_id="u")
    assert not owner_authorization({"user_id": "v"}, user_id="u")
    assert not owner_authorization(
        {"user_id": "u"}, user_id="u", self_action="read", action="update"
    )
    assert not owner_authorization({"user_id": ""}, user_id="")
    assert not owner_authorization(None, user_id="u")
    assert not owner_authorization({}, user_id="u")


def test_a_user_id_is_not_compared_with_a_workspace() -> None:
    assert not owner_authorization({"workspace_id": "x"}, user_id="x")
    assert not owner_authorization({"user_id": "x"}, workspace_id="x")


def test_a_workspace_has_its_own_action_or_that_of_the_owner() -> None:
    resource = {"workspace_id": "w", "user_id": "v"}
    assert owner_authorization(resource, user_id="u", workspace_id="w", action="delete")
    capped = {"user_id": "u", "workspace_id": "w", "workspace_action": "read"}
    assert owner_authorization(resource, **capped)
    assert not owner_authorization(resource, **capped, action="update")


@pytest.mark.parametrize("action", ["", "publish", None])
def test_an_owner_with_an_unknown_action_may_do_nothing(action: str | None) -> None:
    own = {"user_id": "u"}
    assert not owner_authorization(own, user_id="u", self_action=action)  # type: ignore[arg-type]
    assert not owner_authorization(own, user_id="u", action=action or "")
    shared = {"workspace_id": "w"}
    given = action or "publish"
    assert not owner_authorization(shared, user_id="u", workspace_id="w", workspace_action=given)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("delete:files", "delete:media/files"),
        ("delete:*/files", "delete:media/files"),
        ("create:files", "read:files"),
        ("read:files", "read:files?user_id=a"),
        ("read:files?user_id=*", "read:files?user_id=a"),
        ("superadmin:*", "*:*"),
        ("admin:users", "admin:usso/lite/users"),
    ],
)
def test_a_scope_that_grants_more_is_no_part_of_another(child: str, parent: str) -> None:
    assert not is_subset_scope(subset_scope=child, super_scope=parent)
    assert not has_subset_scope(subset_scope=child, user_scopes=[parent])


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("read:media/files?user_id=1", "read:media/files"),
        ("read:files", "read:*"),
        ("read:files", "read://files"),
        ("create:files", "*:*"),
        ("create:files", "*://files"),
        ("write:media/files", "manage:files"),
        ("read:files?user_id=a", "read:files?user_id=a*"),
    ],
)
def test_a_scope_that_grants_no_more_is_part_of_another(child: str, parent: str) -> None:
    assert is_subset_scope(subset_scope=child, super_scope=parent)
    assert has_subset_scope(subset_scope=child, user_scopes=parent)


def test_common_scopes_keep_their_order() -> None:
    a, b = ["read:z", "manage:a", "delete:m"], ["read:m", "manage:a", "read:z", "read:x"]
    assert get_common_scopes(scopes_a=a, scopes_b=b) == ["read:z", "manage:a", "read:m"]
    assert get_common_scopes(scopes_a=None, scopes_b=b) == []


def test_every_published_name_is_there() -> None:
    names = """
        PrivilegeLevel PRIVILEGE_LEVELS parse_scope is_path_match is_filter_match get_scope_filters
        broadest_scope_filter owner_authorization is_authorized check_access is_subset_scope
        has_subset_scope get_common_scopes
    """
    assert [name for name in names.split() if not hasattr(authorization, name)] == []
