"""Classes of formats that name their shapes: their order, and the number that each name is drawn with.

Knows names; where they stand, and what is drawn, is each format's business. See `background` for what becomes
of the pixels that nobody drew around.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelwise.data.background import BACKGROUND, IGNORE_CATEGORY, number_names
from pixelwise.data.mapping import LabelTable
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes


@dataclass(frozen=True)
class LabelNames:
    """Labels, classes, and what unlabelled pixels are.

    Attributes:
        classes: In the order of their train ids.
        values: Label -> raw value, which is the train id, or 255.
        unlabelled: The raw value of pixels in no shape.
        origin: Who names the classes, for messages.
    """

    classes: Classes
    values: Mapping[str, int]
    unlabelled: int
    origin: str

    def value(self, label: str, where: str) -> int:
        """The raw value of a label.

        Raises:
            DataError: Nobody named it; proposes the nearest name.
        """
        value = self.values.get(label)
        if value is None:
            near = difflib.get_close_matches(label, self.values, 1)
            nearest = f" (the nearest is {near[0]!r})" if near else ""
            raise DataError(
                f"{where}: there is no such label in {self.origin}{nearest}; correct it, or add it there"
            )
        return value

    def note(self) -> str:
        """Says what pixels in no shape are."""
        if self.unlabelled == IGNORE:
            return "pixels in no shape are ignored, as a class to ignore is listed but no background"
        return f"pixels in no shape are {self.classes.names[self.unlabelled]}"

    def table(self) -> LabelTable:
        """Every class for itself; 255 is ignored."""
        return LabelTable(len(self.classes), {**{i: i for i in range(len(self.classes))}, IGNORE: IGNORE})


def name_classes(listed: Sequence[str], origin: str) -> LabelNames:
    """Numbers the classes in the order of the list, by the rule of `background`.

    Args:
        listed: Names, those to ignore and the background included.
        origin: Where they stand.

    Raises:
        DataError: A name stands there twice or is empty, or there are too many.
    """
    names, ids = number_names(listed)
    try:
        classes = Classes(names)
    except ConfigError as error:
        raise DataError(f"{origin}: {error}; correct the names there") from error
    unlabelled = ids[0]
    values = {name: ids[raw] for raw, name in enumerate(listed, start=1)}
    if unlabelled != IGNORE:  # a shape may be called either, whatever the list does
        values = {"_background_": unlabelled, BACKGROUND: unlabelled, **values}
    return LabelNames(classes, {IGNORE_CATEGORY: IGNORE, **values}, unlabelled, origin)
