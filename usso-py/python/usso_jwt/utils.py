"""Base64url, and keys as they come out of files and environments."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast


def b64url_encode(data: str | bytes) -> str:
    """Encodes as base64url without padding (RFC 7515 section 2)."""
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64url_decode(data: str | bytes) -> bytes:
    """Decodes base64url without padding.

    Raises `ValueError` for any other character, and for trailing bits that are not zero: a token
    must not have two spellings.
    """
    text = data.decode("ascii") if isinstance(data, bytes) else data
    try:
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, UnicodeError):
        raise ValueError("not base64url") from None
    if b64url_encode(raw) != text:
        raise ValueError("not base64url in its one spelling")
    return raw


def normalize_pem_key_material(key: str | bytes) -> bytes:
    r"""Repairs a PEM that went through an environment file.

    White space and quotes around it are dropped, and `\n` written as two characters becomes a line
    end. Raises `ValueError` if it is not UTF-8.
    """
    text = key.decode() if isinstance(key, bytes) else key
    text = text.strip().lstrip("\ufeff").strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1].strip()
    if text.startswith("-----BEGIN"):
        text = text.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n").strip()
    return text.encode()


def is_pem_key_material(key: object) -> bool:
    """Says whether this is a PEM, repaired if need be; DER is not."""
    if not isinstance(key, (str, bytes)):
        return False
    try:
        return normalize_pem_key_material(key).startswith(b"-----BEGIN")
    except ValueError:
        return False


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """Reads a JSON object; `None` if the text is none.

    NaN and halves of characters, which Python reads although RFC 8259 has them not, make it none.
    """
    try:
        read: object = json.loads(text)
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", read) if isinstance(read, dict) else None
