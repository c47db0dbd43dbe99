"""What the masks and pictures hold: nothing labelled, one class only, or no picture to speak of."""

from __future__ import annotations

import numpy as np

from pixelwise.check.asked import Asked
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.of_samples import of_samples
from pixelwise.check.survey import NOTHING, Survey
from pixelwise.check.words import listed, times

_USUAL = 0.2
"""Where more of the masks have one class only, that is how the set is; fewer may be forgotten ones."""

BLANK = 3.0
"""Standard deviation of the brightness, in 0..255: fog has 10."""

_HALF, _HARDLY = 0.5, 0.1
"""Shares of the pixels that are labelled: in most masks at least, and in those that were not finished."""


def empty_masks(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks without a labelled pixel."""
    found = np.flatnonzero(survey.sound & (survey.only == NOTHING)).tolist()
    return of_samples(
        survey.dataset.reader,
        found,
        kind="empty",
        severity=Severity.WARNING,
        title=f"{times(len(found), 'mask')} without a labelled pixel",
        text="Everything in them is ignored, so they teach nothing and measure nothing, and cost time.",
        asked=asked,
    )


def one_class(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks that hold a single class, where the others hold more."""
    reader = survey.dataset.reader
    found = np.flatnonzero(survey.sound & (survey.only >= 0)).tolist()
    if len(reader.classes) < 2 or not found:
        return []
    names = reader.classes.names
    share = len(found) / int(survey.sound.sum())
    counts = np.bincount(survey.only[found], minlength=len(names))
    each = listed(f"{times(int(counts[i]), 'mask')} of {names[i]}" for i in np.argsort(-counts) if counts[i])
    return of_samples(
        reader,
        found,
        kind="one_class",
        severity=Severity.NOTE if share > _USUAL else Severity.SUSPECT,
        title=f"{times(len(found), 'mask')} with one class only ({100 * share:.1f}%)",
        text=f"{each}. Fine if that is so; a mask that nobody drew looks the same.",
        shown=lambda index: f"only {names[survey.only[index]]}",
    )


def hardly_labelled(survey: Survey, asked: Asked) -> list[Finding]:
    """Masks much of which is ignored, where in most others hardly anything is."""
    shares = survey.labelled[survey.sound]
    if not len(shares) or float(np.median(shares)) < _HALF:
        return []
    found = np.flatnonzero(survey.sound & (survey.labelled < _HARDLY) & (survey.only != NOTHING))
    if len(found) > _USUAL * len(shares):
        return []
    return of_samples(
        survey.dataset.reader,
        found[np.argsort(survey.labelled[found], kind="stable")].tolist(),
        kind="hardly_labelled",
        severity=Severity.SUSPECT,
        title=f"{times(len(found), 'mask')} with labels on less than a tenth",
        text="The others are labelled nearly everywhere. Perhaps these were begun and not finished.",
        shown=lambda index: f"{100 * survey.labelled[index]:.1f}% labelled",
    )


def blank_pictures(survey: Survey, asked: Asked) -> list[Finding]:
    """Pictures of one brightness: black, white, or a lens cap."""
    found = np.flatnonzero(survey.sound & (survey.contrast < BLANK)).tolist()
    return of_samples(
        survey.dataset.reader,
        found,
        kind="blank",
        severity=Severity.WARNING,
        title=f"{times(len(found), 'picture')} with nothing to see",
        text="They have hardly any contrast: a lens cap, a failed download, a frame before the first.",
        shown=lambda index: f"brightness {survey.brightness[index]:.0f} of 255",
        asked=asked,
    )
