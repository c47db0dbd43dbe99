"""The sentence that people act on, from made-up figures."""

from __future__ import annotations

import pytest

from pixelwise.ceiling.advice import lost_classes, recommend
from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.result import GridCeiling, Level

NAMES = ("road", "pole", "sign", "rider", "bin")


def level(*iou: float | None) -> Level:
    there = [value for value in iou if value is not None]
    miou = sum(there) / len(there) if there else None
    return Level(method="soft", iou=iou, miou=miou, pixel_accuracy=None, absent=())


def at(grid: Grid, cells: float, *levels: Level) -> GridCeiling:
    return GridCeiling(grid=grid, cells=cells, levels=levels)


FINE = at(Grid(stride=2), 400, level(1.0, 0.95, 0.97))
MIDDLE = at(Grid(stride=4), 100, level(0.99, 0.85, 0.92))
COARSE = at(Grid(stride=8), 25, level(0.97, 0.41, 0.55))


@pytest.mark.parametrize("order", [(FINE, MIDDLE, COARSE), (COARSE, FINE, MIDDLE)])
def test_the_coarsest_that_is_enough(order: tuple[GridCeiling, ...]) -> None:
    assert recommend(order, NAMES[:3]) == (
        "stride 4 keeps 92.0% mIoU; at stride 8 pole (41% at best) and sign (55% at best) are lost: choose a "
        "network that answers at stride 4 or finer (deeplabv3plus, fpn, upernet, …), or a "
        "larger input"
    )


def test_a_class_is_lost_only_if_no_method_keeps_it() -> None:
    item = at(Grid(stride=8), 25, level(0.99, 0.1, None), level(0.98, 0.61, None))
    assert item.best_iou(1) == 0.61
    assert item.best_iou(2) is None
    assert item.best_miou == pytest.approx(0.795)
    assert lost_classes(item, NAMES[:3]) == []
    assert lost_classes(at(Grid(stride=8), 25, level(0.99, 0.1, None)), NAMES[:3]) == [(0.1, "pole")]


def test_many_lost_classes_are_counted() -> None:
    coarse = at(Grid(stride=16), 4, level(0.5, 0.1, 0.2, 0.3, 0.4))
    fine = at(Grid(stride=8), 16, level(*[0.95] * 5))
    said = recommend((fine, coarse), NAMES)
    assert "pole (10% at best), sign (20% at best), rider (30% at best) and 2 more are lost" in said
    assert "(pidnet-s, lraspp, fcn-8s, …)" in said


def test_nothing_lost_but_too_little_kept() -> None:
    said = recommend((FINE, at(Grid(stride=4), 100, level(0.88, 0.85, 0.86))), NAMES[:3])
    assert said.startswith("stride 2 keeps 97.3% mIoU; stride 4 keeps 86.3% mIoU only: choose")


def test_even_the_coarsest_is_enough_and_even_the_finest_is_not() -> None:
    assert recommend((FINE, MIDDLE), NAMES[:3]).endswith(", or a larger input; a coarser one may do too")
    said = recommend((COARSE,), NAMES[:3])
    assert said.startswith("even stride 8 is too coarse: 64.3% mIoU at best, and pole (41% at best) and sign")
    assert "--strides 1 2" in said
    sized = at(Grid(stride=1, size=(80, 80), policy="resize"), 25, level(0.9, 0.5, 0.8))
    assert recommend((sized,), NAMES[:3]).endswith("is lost: take a larger input or a finer stride")


def test_sizes_are_told_as_flags() -> None:
    sized = at(Grid(stride=4, size=(320, 480), policy="resize"), 100, level(0.99, 0.85, 0.92))
    said = recommend((sized, COARSE), NAMES[:3])
    assert said.startswith("480x320 / 4 keeps 92.0% mIoU; at stride 8")
    assert "choose an input of that size (--size 320 480) and a network that answers at stride 4 or" in said


def test_no_flag_squashes_a_picture_whose_aspect_is_to_be_kept() -> None:
    boxed = at(Grid(stride=1, size=(320, 320), policy="letterbox"), 100, level(0.99, 0.85, 0.92))
    said = recommend((boxed,), NAMES[:3])
    assert "an input of that size (with the aspect kept) and a network that answers at stride 1 (" in said
    assert "--size" not in said


def test_nothing_labelled() -> None:
    assert "no labelled pixel" in recommend((at(Grid(stride=2), 4, level(None, None)),), NAMES[:2])
