"""Commands to copy. Knows how they are written, and not when they help."""

from __future__ import annotations

import shlex
from pathlib import Path

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


def leave_out_command(asked: Asked, kind: str) -> str:
    """`pixelwise train DATA --leave-out KIND.txt`: the list that the report writes for a kind of finding."""
    return train_command(asked.root, changed(asked.config, {"leave_out": (asked.out / list_name(kind),)}))


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
