"""Opens a data set as far as it can be opened, and notes what stood in the way.

Where a setting would mend it, the set is opened with that setting, so that the rest can be looked at too;
the finding says which, and nothing of it is kept. Knows errors and their remedies, and no sample.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.check.colours import uncoloured
from pixelwise.check.commands import train_command
from pixelwise.check.facts import Value
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.config import DataConfig, changed
from pixelwise.data import open_dataset
from pixelwise.data.dataset import Dataset
from pixelwise.data.mapping import UnknownValueError
from pixelwise.data.mendable import MendableError
from pixelwise.data.statistics import spread
from pixelwise.errors import DataError

_MOST_STEPS = 8
"""Settings that are tried one upon the other."""

_TRIED = 24
"""Masks that are looked at before the pass: most wrong values are wrong in all of them."""

_LONGEST_TITLE = 160
"""Letters."""

_TINY = (16, 16)

_BY_THE_PASS = frozenset({"skip_broken", "skip_unpaired"})
"""What mends files that a rule names one by one."""


@dataclass(frozen=True)
class Opened:
    """A data set that can be looked at, or none.

    Attributes:
        dataset: None where nothing that is known would open it.
        config: With the settings that it was opened with; the given one where nothing stood in the way.
        findings: What stood in the way, in order.
    """

    dataset: Dataset | None
    config: DataConfig
    findings: tuple[Finding, ...]


def open_as_found(root: Path, config: DataConfig) -> Opened:
    """Opens a data set, with the settings that its errors propose.

    Raises:
        DataError: There is no such folder.
        ConfigError: A setting that cannot be.
    """
    if not root.is_dir():
        open_dataset(root, config)  # says so in the words that every command has for it
    findings: list[Finding] = []
    for _ in range(_MOST_STEPS):
        try:
            dataset = open_dataset(root, config)
            _try_masks(dataset)
        except MendableError as error:
            better = changed(config, error.changes)
            if not _BY_THE_PASS & error.changes.keys():
                findings.append(_finding(error, root, better))
            if better == config:  # what it proposes is set already, and does not help
                return Opened(None, config, tuple(findings))
            config = better
        except DataError as error:
            findings.append(_hopeless(error, root))
            return Opened(None, config, tuple(findings))
        else:
            return Opened(dataset, config, tuple(findings))
    return Opened(None, config, tuple(findings))


def _try_masks(dataset: Dataset) -> None:
    """Looks at a few masks over the whole set; values that have no class in most of them are a setting.

    Raises:
        MendableError: For these masks together.
    """
    reader = dataset.reader
    unknown: list[UnknownValueError] = []
    tried = spread(range(len(reader)), _TRIED)
    for index in tried:
        try:
            reader.for_network(index, _TINY)
        except UnknownValueError as error:
            unknown.append(error)
        except DataError:
            continue  # the pass names each of them
    if 2 * len(unknown) <= len(tried):
        return
    seen: Counter[Value] = Counter()
    for error in unknown:
        seen.update(error.seen)
    table, path = reader.table, unknown[0].path
    changes = table.propose(seen, path).changes
    if changes:
        text = table.explain(seen, path, files=len(unknown))
        raise _WrongValuesError(text, changes, [error.path for error in unknown])


class _WrongValuesError(MendableError):
    """Values without a class in most of the masks that were tried, which are named."""

    def __init__(self, message: str, changes: Mapping[str, Any], masks: Sequence[Path]) -> None:
        super().__init__(message, changes)
        self.masks = masks


def _finding(error: MendableError, root: Path, better: DataConfig) -> Finding:
    kinds = {"map": "values", "snap": "values", "fit_masks": "scaled"}
    masks = error.masks if isinstance(error, _WrongValuesError) else ()
    return Finding(
        kind=next((kinds[name] for name in error.changes if name in kinds), "layout"),
        severity=Severity.ERROR,
        title=_title(error, root),
        text=f"{error}. The rest of this report is as if that were set.",
        count=len(masks) or 1,
        unit="masks" if masks else "data sets",
        examples=tuple(
            Example(name=_below(str(path), root), files=(path,)) for path in masks[:MOST_EXAMPLES]
        ),
        remedy=train_command(root, better),
        changes=error.changes,
    )


def _title(error: MendableError, root: Path) -> str:
    """What is wrong, without what would mend it, and with short paths."""
    wrong = re.split(r"; |: if |, or take ", str(error), maxsplit=1)[0]
    return textwrap.shorten(_below(wrong, root), _LONGEST_TITLE, placeholder=" …")


def _below(text: str, root: Path) -> str:
    """A text whose paths begin at the data set's folder."""
    for place in (str(root.absolute()), str(root)):
        text = text.replace(f"{place}{os.sep}", "")
    return text


def _hopeless(error: DataError, root: Path) -> Finding:
    """Why the set cannot be opened, where no setting would help."""
    if isinstance(error, UnknownValueError):
        coloured = uncoloured(root, error.seen, (), count=1, text=f"{error}. Nothing else was looked at")
        if coloured is not None:
            return coloured
    return Finding(
        kind="layout",
        severity=Severity.ERROR,
        title="The data set cannot be opened",
        text=f"{error}. Nothing else was looked at.",
        count=1,
        unit="data sets",
    )
