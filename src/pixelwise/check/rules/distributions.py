"""How sizes, shapes and brightness are distributed, and the pictures that lie far from all others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pixelwise.check.asked import Asked
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.of_samples import of_samples
from pixelwise.check.report import Histogram
from pixelwise.check.rules.contents import BLANK
from pixelwise.check.survey import Survey
from pixelwise.check.words import times
from pixelwise.types import size_text

_FAR = 6.0
"""Times the distance from the median to the quartile on that side, at least."""

_FEWEST = 20
"""Samples below which nothing can be called usual."""

_MOST_SHARE = 0.02
"""More than that are a kind of their own, not outliers."""

_BINS = 24

Floats = npt.NDArray[np.float64]


def outliers(survey: Survey, asked: Asked) -> list[Finding]:
    """Pictures of an unusual size, shape or brightness."""
    size = _far(np.log2(np.maximum(_pixels(survey), 1)), survey.sound, 1.0)  # twice the pixels is nothing odd
    shape = _far(np.log2(_aspects(survey)), survey.sound, 0.2)
    seen = survey.sound & (survey.contrast >= BLANK)  # the others are a finding of their own
    brightness = _far(survey.brightness.astype(np.float64), seen, 10.0)

    def shown_size(index: int) -> str:
        return size_text(survey.sizes[index].tolist())

    def shown_brightness(index: int) -> str:
        return f"brightness {survey.brightness[index]:.0f} of 255"

    return [
        *_finding(
            survey,
            "odd_size",
            "of an unusual size",
            "Resized to the network's input, their objects are far smaller or larger than all others.",
            size,
            shown_size,
        ),
        *_finding(
            survey,
            "odd_shape",
            "of an unusual shape",
            "Resized to the network's input, their objects are stretched as no others are.",
            shape,
            shown_size,
        ),
        *_finding(
            survey,
            "odd_brightness",
            "far darker or brighter than all others",
            "Perhaps over- or underexposed, or of another source.",
            brightness,
            shown_brightness,
        ),
    ]


def _finding(
    survey: Survey, kind: str, title: str, text: str, far: list[int], shown: Callable[[int], str]
) -> list[Finding]:
    if len(far) > max(1, _MOST_SHARE * int(survey.sound.sum())):
        return []
    return of_samples(
        survey.dataset.reader,
        far,
        kind=kind,
        severity=Severity.SUSPECT,
        title=f"{times(len(far), 'picture')} {title}",
        text=text,
        shown=shown,
    )


def histograms(survey: Survey) -> tuple[Histogram, ...]:
    """The distributions over the sound samples; none where there is none."""
    sound = survey.sound
    if not sound.any():
        return ()
    return (
        _histogram("height", "pixels", survey.sizes[sound, 0].astype(np.float64)),
        _histogram("width", "pixels", survey.sizes[sound, 1].astype(np.float64)),
        _histogram("width over height", "", _aspects(survey)[sound]),
        _histogram("brightness", "of 255", survey.brightness[sound].astype(np.float64)),
        _histogram("labelled share", "%", 100 * survey.labelled[sound].astype(np.float64)),
    )


def _histogram(name: str, unit: str, values: Floats) -> Histogram:
    counts, edges = np.histogram(values, bins=_BINS)
    low, middle, high = np.percentile(values, (1, 50, 99)).tolist()
    return Histogram(
        name=name,
        unit=unit,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        low=low,
        middle=middle,
        high=high,
    )


def _far(values: Floats, sound: npt.NDArray[np.bool_], room: float) -> list[int]:
    """Indices of the sound values that lie far from the median, the farthest first.

    Args:
        values: `(n,)`.
        sound: `(n,)` which of them count.
        room: So far is never far, however alike the others are.
    """
    usual = values[sound]
    if len(usual) < _FEWEST:
        return []
    quarter, middle, three_quarters = (float(part) for part in np.percentile(usual, (25, 50, 75)))
    below, above = max(_FAR * (middle - quarter), room), max(_FAR * (three_quarters - middle), room)
    distance = np.maximum((middle - values) / below, (values - middle) / above)
    distance[~sound] = 0.0
    far = np.flatnonzero(distance > 1)
    return far[np.argsort(-distance[far], kind="stable")].tolist()


def _pixels(survey: Survey) -> Floats:
    return survey.sizes[:, 0].astype(np.float64) * survey.sizes[:, 1]


def _aspects(survey: Survey) -> Floats:
    return np.maximum(survey.sizes[:, 1], 1) / np.maximum(survey.sizes[:, 0], 1)
