"""Which pictures belong together by their names: the frames of one film, the files of one folder.

Knows names only; whether pictures of one group look alike is for others to say.
"""

from __future__ import annotations

import re

from pixelwise.data.listing import SUFFIXES

_NUMBERED = re.compile(r"(.*?)([0-9]{1,18})([^0-9]*)", re.DOTALL)
_SIDES = {"train", "trainval", "training", "val", "valid", "validation", "test", "testing"}


def group_of(name: str) -> tuple[str, int | None]:
    """The name of a sample's group, and its number there.

    The last number of the file's name counts the pictures of a group: `seq1/frame_000123` is the 123rd of
    `seq1/frame_#`. Names of folders that only say which side a picture is on (`train/…`) don't count, so that
    a film that was cut into sides is one group.

    Args:
        name: As in the data set, with `/` between folders.

    Returns:
        The group, and None as number where the file's name has none: then its folder is the group.
    """
    folders, _, stem = name.rpartition("/")
    parts = [part for part in folders.split("/") if part and part.lower() not in _SIDES]
    suffix = next((suffix for suffix in SUFFIXES if stem.endswith(suffix)), "")  # _leftImg8bit counts nothing
    found = _NUMBERED.fullmatch(stem.removesuffix(suffix))
    if found is None:
        return "/".join([*parts, ""]), None
    before, number, after = found.groups()
    return "/".join([*parts, f"{before}#{after}{suffix}"]), int(number)
