"""Text of headers."""

from __future__ import annotations


def get_authorization_scheme_param(authorization_header_value: str | None) -> tuple[str, str]:
    """Splits an `Authorization` header at its first space; gives `("", "")` for none."""
    scheme, _, param = (authorization_header_value or "").partition(" ")
    return scheme, param
