"""Commands to copy. Knows how they are written, and not when they help."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.check.asked import Asked
from pixelwise.config import DataConfig, changed
from pixelwise.config.flags import flags


def train_command(root: Path, config: DataConfig, *more: str) -> str:
    """`pixelwise train DATA …` with the settings that differ from the usual ones.

    Args:
        root: The data set.
        config: How it is read.
        more: Further words.
    """
    return command("train", root, config, *more)


def command(name: str, root: Path, config: DataConfig, *more: str) -> str:
    """`pixelwise NAME DATA …` likewise."""
    text = str(root)
    place = f"./{text}" if text.startswith("-") else text
    return shlex.join(["pixelwise", name, place, *flags(config), *more])


def mending_command(asked: Asked, changes: Mapping[str, Any]) -> str:
    """`pixelwise train DATA …` with some settings changed; empty where nothing is.

    Args:
        asked: The data set, and how it is read.
        changes: Fields of `DataConfig`, see `pixelwise.config.changed`.
    """
    return train_command(asked.root, changed(asked.config, changes)) if changes else ""


def leaving_out(asked: Asked, kind: str) -> dict[str, Any]:
    """The change that leaves out the samples of the list that the report writes for a kind of finding."""
    return {"leave_out": (asked.out / list_name(kind),)}


KINDS_WITH_LISTS = frozenset(
    {
        *("values", "smoothed", "leakage", "near_leakage", "duplicates", "near_duplicates", "empty", "blank"),
        *("misfit", "one_class", "hardly_labelled", "odd_size", "odd_shape", "odd_brightness"),
    }
)
"""Kinds of findings that name samples to leave out."""


def list_name(kind: str) -> str:
    """The file, in the folder of the report, that names the samples of a kind of finding."""
    return f"{kind}.txt"
