"""Looking over a gateway's shoulder: every message it sends and receives, with the secrets blotted out."""

from __future__ import annotations

import re

SECRET = re.compile(
    r"^((?:proxy-)?(?:authorization|authenticate|authentication-info)|www-authenticate)"
    r"(\s*:.*(?:\n[ \t].*)*)$",
    re.IGNORECASE | re.MULTILINE,
)
"""A header row with its continuation lines."""
VALUE = re.compile(
    r'\b(response|nonce|cnonce|nextnonce|rspauth|opaque)(\s*=\s*)(?:"(?:[^"\\]|\\.)*"|[^\s,]+)', re.IGNORECASE
)
BASIC = re.compile(r"(\bbasic\s+)\S+", re.IGNORECASE)
KEY = re.compile(
    r"^(a=crypto:\S+ \S+ inline:|a=key-mgmt:\S+ |k=\w+:)\S+|(?<=;)(inline:)[^\s;|]+", re.IGNORECASE | re.MULTILINE
)
"""SRTP keys of RFC 4568, also the further ones of a row; MIKEY (RFC 4567); the old `k=` of RFC 4566."""


def masked(data: bytes) -> str:
    """The text of a message; digests, nonces, passwords and SRTP keys are replaced by `***`."""
    text = data.decode("utf-8", "backslashreplace")
    text = SECRET.sub(lambda row: row[1] + BASIC.sub(r"\1***", VALUE.sub(r"\1\2***", row[2])), text)
    return KEY.sub(r"\1\2***", text)
