"""Paths that stand in files of a data set, kept inside its folder.

Knows texts and folders; whether a file is there is for the caller to see. A file from elsewhere may name
/etc/passwd or ../../.ssh; what leaves the data set's folder is never opened. Symbolic links are followed, as
everywhere: whoever made them in the folder wants that.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")
"""Folders that are called like this hold a split each."""

_DRIVE = re.compile(r"[A-Za-z]:")


def within(folder: str, written: str, *, root: Path | None = None) -> str | None:
    """A path as it was written, relative to the data set's folder, `/` between the parts; None if it leaves.

    Args:
        folder: Where the path starts from, relative to the data set's folder; empty for that itself.
        written: As it stands in the file; backslashes part folders, too, as Windows has them.
        root: The data set's folder, if absolute paths that lie in it are allowed; else all are refused.
    """
    plain = written.strip().replace("\\", "/")
    if root is not None and plain.startswith("/"):
        plain = os.path.relpath(posixpath.normpath(plain), Path(root).absolute()).replace(os.sep, "/")
        folder = ""
    if not plain or "\0" in plain or plain.startswith("/") or _DRIVE.match(plain):
        return None
    path = posixpath.normpath(posixpath.join(folder, plain))
    return None if path == ".." or path.startswith("../") else path


def is_file(path: Path) -> bool:
    """As `Path.is_file`, for any text: a name that is too long, say, is one that is not there."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """As `Path.is_dir`, for any text."""
    return os.path.isdir(path)  # noqa: PTH112


def own_splits(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Splits by the first folder of the samples' names, if all have one that is called like a split."""
    splits: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        first, slash, _ = name.partition("/")
        if not slash or first.lower() not in SPLITS:
            return {}
        splits.setdefault(first.lower(), []).append(index)
    return {name: tuple(indices) for name, indices in splits.items()}
