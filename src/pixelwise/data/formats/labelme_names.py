"""The classes of LabelMe's pictures: from labels.txt, or from the labels that the shapes have.

Knows names; no json is read here. labels.txt is LabelMe's own list, one name a line: `__ignore__`,
`_background_`, then the others; either of the first two may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pixelwise.data.background import BACKGROUND, is_background, is_ignored
from pixelwise.data.formats.named_classes import LabelNames, name_classes
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError, DataError

LABELS_FILE = "labels.txt"
_MAX_BYTES = 1 << 20


def read_labels(path: Path) -> list[str]:
    """The names in a labels.txt; empty lines don't count.

    Raises:
        DataError: It cannot be read, is no text, or names nothing.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes are more than a list of labels has")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of labels cannot be read; save it as UTF-8 text") from error
    names = [name for line in lines if (name := line.strip())]
    if not names:
        raise DataError(f"{path}: the list of labels is empty; name the classes, one a line, or remove it")
    return names


def found_names(found: Iterable[str], wanted: Sequence[str]) -> tuple[LabelNames, tuple[str, ...]]:
    """Classes in alphabetical order out of the labels that the shapes have, and what there is to say.

    Args:
        found: The labels of all shapes.
        wanted: `--classes`: those that no shape has become classes too, behind the others.

    Raises:
        ConfigError: No shape has any of the wanted names.
    """
    labels = sorted(set(found))
    own = [name for name in labels if not (is_background(name) or is_ignored(name))]
    background = next((name for name in wanted if is_background(name)), BACKGROUND)
    known = {background, *own}
    absent = [name for name in wanted if name not in known and not is_ignored(name)]
    if wanted and len(absent) == len(wanted):
        there = ", ".join(own[:12]) or "no labels at all"
        raise ConfigError(f"--classes: no shape is labelled {', '.join(absent[:3])}; there are {there}")
    names = name_classes([background, *own, *absent], "the jsons")
    values = dict(names.values) | {
        label: IGNORE if is_ignored(label) else 0 for label in labels if label not in names.values
    }
    said = (f"no shape is labelled {', '.join(absent)}, as --classes has it",) if absent else ()
    return LabelNames(names.classes, values, names.unlabelled, names.origin), said
