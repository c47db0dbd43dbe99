"""Sixty-four bits in place of a name, for tables of a hundred thousand names. Knows no name's meaning."""

from __future__ import annotations

import hashlib


def short_key(name: str) -> int:
    """The key of a name: of a hundred thousand names two are alike once in four billion sets."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
