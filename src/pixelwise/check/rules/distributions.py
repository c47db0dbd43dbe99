"""How sizes, shapes and brightness are distributed, and the pictures that lie far from all others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwise.check.asked import Asked, examples, times
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.report import Histogram
from pixelwise.check.survey import Survey
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
    found: list[Finding] = []
    reader = survey.dataset.reader
    for kind, title, text, values, room, shown in (
        (
            "odd_size",
            "of an unusual size",
            "Resized to the network's input, their objects are far smaller or larger than all others.",
            np.log2(np.maximum(_pixels(survey), 1)),
            1.0,  # twice or half the pixels are nothing unusual
            lambda index: size_text(survey.sizes[index].tolist()),
        ),
        (
            "odd_shape",
            "of an unusual shape",
            "Resized to the network's input, their objects are stretched as no others are.",
            np.log2(_aspects(survey)),
            0.2,
            lambda index: size_text(survey.sizes[index].tolist()),
        ),
        (
            "odd_brightness",
            "far darker or brighter than all others",
            "Perhaps over- or underexposed, or of another source.",
            survey.brightness.astype(np.float64),
            10.0,
            lambda index: f"brightness {survey.brightness[index]:.0f} of 255",
        ),
    ):
        far = _far(values, survey.sound, room)
        if 0 < len(far) <= max(1, _MOST_SHARE * int(survey.sound.sum())):
            found.append(
                Finding(
                    kind=kind,
                    severity=Severity.SUSPECT,
                    title=f"{times(len(far), 'picture')} {title}",
                    text=text,
                    count=len(far),
                    examples=examples(reader, far, shown),
                    leave_out=tuple(far),
                )
            )
    return found


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
    low, middle, high = np.percentile(usual, (25, 50, 75))
    below, above = max(_FAR * (middle - low), room), max(_FAR * (high - middle), room)
    distance = np.where(values < middle, (middle - values) / below, (values - middle) / above)
    distance[~sound] = 0.0
    far = np.flatnonzero(distance > 1)
    return far[np.argsort(-distance[far], kind="stable")].tolist()


def _pixels(survey: Survey) -> Floats:
    return survey.sizes[:, 0].astype(np.float64) * survey.sizes[:, 1]


def _aspects(survey: Survey) -> Floats:
    return np.maximum(survey.sizes[:, 1], 1) / np.maximum(survey.sizes[:, 0], 1)
