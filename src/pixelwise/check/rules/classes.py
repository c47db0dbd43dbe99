"""The classes over the split: those that a side lacks, and how unevenly they are spread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwise.check.asked import Asked
from pixelwise.check.commands import mending_command, train_command
from pixelwise.check.finding import MOST_EXAMPLES, Example, Finding, Severity
from pixelwise.check.redraw import better_seed
from pixelwise.check.report import ClassRow
from pixelwise.check.survey import TRAIN, VAL, Survey
from pixelwise.check.words import listed, times
from pixelwise.data.breadths import narrowest
from pixelwise.data.class_weights import balanced_weights
from pixelwise.errors import DataError

_UNEVEN = 20.0
"""The most frequent class has so many times the pixels of the rarest."""

_FEW = 5
"""Training pictures that have a class."""


def missing_classes(survey: Survey, asked: Asked) -> list[Finding]:
    """Classes without a pixel on one side, or on both."""
    names = survey.dataset.classes.names
    train, val = _pixels(survey, TRAIN), _pixels(survey, VAL)
    if not train.any():
        return [_nothing_to_train_on(survey)]
    found = [] if val.any() else [_nothing_to_measure(survey)]
    uneven = val.any() and ((train > 0) != (val > 0)).any()
    seed = better_seed(survey, asked) if uneven else None
    redraw = {} if seed is None else {"val_seed": seed}
    for rows, kind, severity, title, text in (
        (
            np.flatnonzero((train == 0) & (val > 0)),
            "unlearnable",
            Severity.ERROR,
            "in validation, but never in training",
            "What is never shown cannot be learnt: its IoU will be 0. Another split may mend it, else more "
            "pictures, --merge or --ignore.",
        ),
        (
            np.flatnonzero((train > 0) & (val == 0)) if val.any() else np.zeros(0, np.int64),
            "unmeasured",
            Severity.WARNING,
            "in training, but never in validation",
            "No score counts it, so that nobody sees how well it is learnt. Another split may "
            "mend it, perhaps with a larger validation side (--val-share).",
        ),
        (
            np.flatnonzero((train == 0) & (val == 0)),
            "unused",
            Severity.WARNING,
            "without a pixel anywhere",
            "The network gets an output that is never right. If the list of classes is right, are the masks?",
        ),
    ):
        if len(rows):
            missing = [names[row] for row in rows]
            found.append(
                Finding(
                    kind=kind,
                    severity=severity,
                    title=f"{times(len(rows), 'class', 'classes')} {title}: {listed(missing)}",
                    text=text,
                    count=len(rows),
                    unit="classes",
                    remedy="" if kind == "unused" else mending_command(asked, redraw),
                    changes={} if kind == "unused" else redraw,
                    examples=tuple(Example(name=name) for name in missing[:MOST_EXAMPLES]),
                )
            )
    return found


def rare_classes(survey: Survey, asked: Asked) -> list[Finding]:
    """Classes that hardly any training picture has."""
    names = survey.dataset.classes.names
    pictures = survey.pictures[TRAIN]
    enough = int((survey.sound & (survey.sides == TRAIN)).sum()) >= 10 * _FEW
    order: list[int] = np.argsort(pictures, kind="stable").tolist() if enough else []
    rows = [row for row in order if 0 < pictures[row] < _FEW]
    if not rows:
        return []
    return [
        Finding(
            kind="rare",
            severity=Severity.WARNING,
            title=f"{times(len(rows), 'class', 'classes')} in fewer than {_FEW} training pictures",
            text="A network learns such a class by heart, with everything around it. Label more, or "
            "--merge it with its like.",
            count=len(rows),
            unit="classes",
            examples=tuple(
                Example(name=names[row], text=f"in {times(int(pictures[row]), 'training picture')}")
                for row in rows[:MOST_EXAMPLES]
            ),
        )
    ]


def imbalance(survey: Survey, asked: Asked) -> list[Finding]:
    """A large difference between the classes' pixels, with the weights that even it out."""
    pixels = _pixels(survey, TRAIN)
    there = pixels[pixels > 0]
    if len(there) < 2 or there.max() < _UNEVEN * there.min():
        return []
    names = survey.dataset.classes.names
    most, least = int(pixels.argmax()), int(np.where(pixels > 0, pixels, pixels.max()).argmin())
    weights = class_weights(survey)
    return [
        Finding(
            kind="imbalance",
            severity=Severity.NOTE,
            title=f"{names[most]} has {pixels[most] / pixels[least]:,.0f} times the pixels of {names[least]}",
            text="A network gains more by the last per cent of the frequent classes than by the rare ones. "
            "Weights in the loss even that out; they usually raise mIoU and lower pixel accuracy. These are "
            "by median frequency; --balance counts them anew from whatever data it trains on.",
            count=int((pixels > 0).sum()),
            unit="classes",
            remedy=train_command(
                asked.root, asked.config, "--class-weights", *(f"{weight:.4g}" for weight in weights)
            ),
        )
    ]


def class_rows(survey: Survey) -> tuple[ClassRow, ...]:
    """The classes in figures."""
    train, val = _pixels(survey, TRAIN), _pixels(survey, VAL)
    weights = class_weights(survey)
    height, width = survey.middle_size
    rows: list[ClassRow] = []
    for row, (name, colour) in enumerate(
        zip(survey.dataset.classes.names, survey.dataset.classes.colours, strict=True)
    ):
        share = narrowest(survey.breadths[row])
        rows.append(
            ClassRow(
                name=name,
                colour=colour,
                train_pixels=int(train[row]),
                val_pixels=int(val[row]),
                train_share=float(train[row] / max(int(train.sum()), 1)),
                val_share=float(val[row] / max(int(val.sum()), 1)),
                train_pictures=int(survey.pictures[TRAIN, row]),
                val_pictures=int(survey.pictures[VAL, row]),
                weight=float(weights[row]),
                narrow=None if share is None else share * float(np.sqrt(height * width)),
            )
        )
    return tuple(rows)


def class_weights(survey: Survey) -> npt.NDArray[np.float64]:
    """`(K,)` by median frequency, as `--balance median` counts them; zeros where nothing is labelled."""
    try:
        return balanced_weights("median", _pixels(survey, TRAIN), survey.beside)
    except DataError:
        return np.zeros(len(survey.dataset.classes))


def _pixels(survey: Survey, side: int) -> npt.NDArray[np.int64]:
    return survey.pixels[side, : len(survey.dataset.classes)]


def _nothing_to_measure(survey: Survey) -> Finding:
    count = int((survey.sides == VAL).sum())
    return Finding(
        kind="unmeasurable",
        severity=Severity.ERROR,
        title="No validation pixel is labelled" if count else "No picture validates",
        text="Nothing can be measured, and no best model chosen. Take another split (--val-share, "
        "--val-last), or look at the masks.",
        count=count,
    )


def _nothing_to_train_on(survey: Survey) -> Finding:
    return Finding(
        kind="nothing",
        severity=Severity.ERROR,
        title="No training pixel is labelled",
        text="Every training sample is at fault, or its mask is ignored altogether. Mend the errors "
        "above, or look at --map and --ignore.",
        count=int((survey.sides == TRAIN).sum()),
    )
