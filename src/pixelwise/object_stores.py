"""The way to object stores: which package fsspec needs for each, and what is said where it is missing.

Knows schemes; what is read and written there is for whoever asks.
"""

from __future__ import annotations

from typing import Any

from pixelwise.errors import BackendError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "memory": ""}
"""Scheme -> package. A put in any of them leaves a file whole or not at all."""

_EXTRA = frozenset({"s3fs", "gcsfs"})
"""What the extra `remote` brings."""


def file_system(scheme: str) -> Any:
    """Fsspec's file system for a scheme, of a store, of the web, or `file`.

    Raises:
        BackendError: A package is missing.
    """
    try:
        import fsspec

        # A listing that is kept would hold every name of every folder.
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        package = PACKAGES.get(scheme) or ("'fsspec[http]'" if scheme.startswith("http") else scheme)
        extra = " (or 'pixelwise[remote]')" if package in _EXTRA else ""
        raise BackendError(
            f"{scheme}:// needs a package that is missing: pip install {package}{extra}"
        ) from error


def reason(error: Exception) -> str:
    """What a store's package says, in one line: each has its own kinds of errors."""
    return " ".join(str(error).split())[:300] or type(error).__name__
