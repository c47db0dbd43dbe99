"""The rules, in the order in which their findings of one severity are shown.

Each file has the rules of one subject: functions of a `Survey` and what was `Asked`, to findings.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pixelwise.check.asked import Asked, with_files
from pixelwise.check.finding import Finding
from pixelwise.check.rules.classes import imbalance, missing_classes, rare_classes
from pixelwise.check.rules.contents import blank_pictures, empty_masks, hardly_labelled, one_class
from pixelwise.check.rules.distributions import outliers
from pixelwise.check.rules.duplicates import duplicates
from pixelwise.check.rules.files import broken_files, lonely_files, other_faults, other_sizes
from pixelwise.check.rules.misfits import misfits
from pixelwise.check.rules.objects import small_objects
from pixelwise.check.rules.sequences import split_films
from pixelwise.check.rules.values import smoothed, unknown_values
from pixelwise.check.survey import Survey

Rule = Callable[[Survey, Asked], list[Finding]]


def _misfits(survey: Survey, asked: Asked) -> list[Finding]:
    entries = survey.dataset.reader.entries
    known = np.flatnonzero(survey.fitted)
    return [
        with_files(finding, entries) for finding in misfits(survey.fits, known, entries.names, survey.sizes)
    ]


RULES: tuple[Rule, ...] = (
    broken_files,
    other_sizes,
    unknown_values,
    other_faults,
    smoothed,
    duplicates,
    split_films,
    missing_classes,
    lonely_files,
    empty_masks,
    blank_pictures,
    _misfits,
    rare_classes,
    small_objects,
    one_class,
    hardly_labelled,
    outliers,
    imbalance,
)
