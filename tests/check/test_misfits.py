"""Which masks are suspected, of what, and when it is the set: by hand, on drawn and on real pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pixelwise.check.finding import MOST_EXAMPLES, Finding, Severity
from pixelwise.check.fit import Fit, bands_of, fit_of
from pixelwise.check.rules.misfits import misfits
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.drawn import draw_scene

REAL = Path(__file__).parents[2].parent / "shared" / "data"
PICTURES = 40

Pairs = list[tuple[np.ndarray, np.ndarray]]


def fit(
    here: float,
    *,
    moved: float | None = None,
    down: float = 0,
    right: float = 0,
    border: float = 400,
    left_right: float = 0,
    half_turn: float = 0,
) -> Fit:
    return Fit(
        border=border,
        here=here,
        moved=here if moved is None else moved,
        down=down,
        right=right,
        left_right=left_right,
        up_down=0,
        half_turn=half_turn,
        transposed=0,
        quarter_left=0,
        quarter_right=0,
    )


def usual(count: int, middle: float = 16) -> list[Fit | None]:
    """Fits around a middle, between 0.8 and 1.2 of it."""
    return [fit(middle * (0.8 + 0.4 * step / max(1, count - 1))) for step in range(count)]


def judged(fits: Sequence[Fit | None], sizes: Sequence[tuple[int, int]] | None = None) -> list[Finding]:
    names = [f"picture {index}" for index in range(len(fits))]
    rows = np.array([dataclasses.astuple(fit) if fit else (0.0,) * 11 for fit in fits]).reshape(-1, 11)
    known = np.array([index for index, fit in enumerate(fits) if fit], np.int64)
    return misfits(rows, known, names, np.array(sizes or [(100, 100)] * len(fits), np.int32))


def seen(findings: list[Finding], kind: str = "misfit") -> dict[int | None, str]:
    return {
        example.index: example.text for found in findings if found.kind == kind for example in found.examples
    }


def test_a_usual_set_gives_nothing() -> None:
    assert judged([]) == []
    assert judged([None] * 30) == []
    assert judged(usual(30)) == []
    assert judged([*usual(3), None]) == []


def test_one_far_below_the_others_is_a_suspect() -> None:
    # Expected are 16 or so, and 4 spreads of 0.17 below are exp(-0.7) = 0.5 of that: 1 is below.
    found = judged([*usual(30), fit(1.0), None, fit(9.0)])
    assert seen(found) == {30: "its borders follow no edges of the picture"}
    (finding,) = found
    assert (finding.severity, finding.count) == (Severity.SUSPECT, 1)
    assert finding.title == "1 of 32 masks may not fit its picture"
    assert finding.examples[0].name == "picture 30"


def test_little_border_is_expected_to_fit_little() -> None:
    # A quarter of the border has half of the fit to be expected, 8; a fit of 1 is then no cause for doubt.
    assert judged([*usual(30), fit(1.0, border=100)]) == []


def test_a_few_masks_say_nothing_of_each_other_but_of_themselves() -> None:
    assert judged([*usual(5), fit(0.0)]) == []
    assert seen(judged([*usual(5), fit(0.0, left_right=9)])) == {5: "fits better mirrored left to right"}


def test_a_set_of_weak_edges_is_judged_by_its_own_measure() -> None:
    weak: list[Fit | None] = [fit(value) for value in np.geomspace(0.8, 12, 40)]
    assert judged(weak) == []


def test_a_better_place_is_told_in_pixels() -> None:
    faults = [
        fit(2, moved=12, down=-4, right=16),
        fit(2, moved=12, down=0, right=-8),
        fit(2, half_turn=11),
        fit(14, moved=17, right=10),  # a difference of 3 is chance
        fit(9, moved=14, right=1),  # so near is the annotator's pencil
    ]
    found = judged([*usual(30), *faults], [(256, 384)] * 35)
    # 16 of 128 cells of 384 pixels are 48, 4 of 256 are 8, 8 of 384 are 24.
    assert seen(found) == {
        30: "fits better when moved 48 pixels right and 8 pixels up",
        31: "fits better when moved 24 pixels left",
        32: "fits better turned by 180 degrees",
    }
    assert found[0].title == "3 of 35 masks may not fit their pictures"
    assert seen(judged([*usual(30), *faults]))[31] == "fits better when moved 6 pixels left"


def test_the_clearest_come_first_and_not_too_many() -> None:
    faults = [fit(0, left_right=10 + step) for step in range(30)]
    (finding,) = judged([*usual(180), *faults])
    assert finding.count == 30
    assert [example.index for example in finding.examples] == [209 - step for step in range(MOST_EXAMPLES)]


def test_the_same_fault_in_many_is_one_finding_about_the_set() -> None:
    mirrored = [fit(1, left_right=14)] * 20
    found = judged([*mirrored, *usual(20), fit(0, half_turn=12)])
    assert [(finding.kind, finding.severity, finding.count) for finding in found] == [
        ("misfit_all", Severity.ERROR, 20),
        ("misfit", Severity.SUSPECT, 1),
    ]
    assert found[0].title == "20 of 41 masks are mirrored left to right"
    assert seen(found) == {40: "fits better turned by 180 degrees"}


def test_a_set_that_is_moved_says_by_how_much() -> None:
    moved = [fit(3, moved=15, right=-6 + step % 2) for step in range(20)]
    (finding,) = judged([*moved, fit(3, moved=15, down=20)][:20], [(128, 256)] * 20)
    assert (finding.kind, finding.count) == ("misfit_all", 20)
    assert "moved about 12 pixels left" in finding.text


def test_moves_of_all_kinds_are_no_fault_of_the_set() -> None:
    moved = [fit(3, moved=15, right=5 * step - 30, down=3) for step in range(13)]
    (finding,) = judged(moved)
    assert (finding.kind, finding.count) == ("misfit", 13)


def test_a_set_at_chance_is_one_finding() -> None:
    chance: list[Fit | None] = [fit(value) for value in np.random.default_rng(0).normal(0, 1, 50)]
    (finding,) = judged(chance)
    assert (finding.kind, finding.severity, finding.count) == ("misfit_all", Severity.WARNING, 50)
    assert "no better than chance" in finding.title


def test_unequal_lists_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="names"):
        misfits(np.zeros((2, 11)), np.arange(2), ["one"], np.zeros((1, 2), np.int32))


@pytest.fixture(scope="module")
def drawn() -> Pairs:
    return [draw_scene((256, 256), seed=11, index=index) for index in range(PICTURES)]


@pytest.fixture(scope="module")
def clean(drawn: Pairs) -> list[Fit | None]:
    return [fit_of(*pair) for pair in drawn]


def test_drawn_pictures_give_no_finding(clean: list[Fit | None]) -> None:
    assert judged(clean) == []


def shifted(mask: np.ndarray) -> np.ndarray:
    return np.pad(mask, ((0, 0), (20, 0)), mode="edge")[:, :-20]


PLANTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "mirrored": (np.fliplr, "fits better mirrored left to right"),
    "turned": (lambda mask: np.rot90(mask, 2), "fits better turned by 180 degrees"),
    "moved": (shifted, "fits better when moved 20 pixels left"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_faults_are_found_and_named(drawn: Pairs, clean: list[Fit | None], plant: str) -> None:
    spoil, text = PLANTS[plant]
    fits = list(clean)
    for index in (3, 17, 30):
        picture, mask = drawn[index]
        fits[index] = fit_of(picture, np.ascontiguousarray(spoil(mask)))
    assert seen(judged(fits, [(256, 256)] * PICTURES)) == dict.fromkeys((3, 17, 30), text)


def test_swapped_masks_are_found(drawn: Pairs, clean: list[Fit | None]) -> None:
    fits = list(clean)
    fits[4], fits[25] = fit_of(drawn[4][0], drawn[25][1]), fit_of(drawn[25][0], drawn[4][1])
    assert set(seen(judged(fits))) == {4, 25}


def test_a_set_of_mirrored_drawn_masks_is_a_warning(drawn: Pairs) -> None:
    fits = [fit_of(picture, np.ascontiguousarray(np.fliplr(mask))) for picture, mask in drawn[:20]]
    found = judged(fits)
    assert found[0].kind == "misfit_all"
    assert "mirrored left to right" in found[0].title
    assert found[0].count >= 18


def test_masks_in_wrong_order_are_a_warning(drawn: Pairs) -> None:
    fits = [fit_of(drawn[index][0], drawn[index - 1][1]) for index in range(20)]
    (finding,) = judged(fits)
    assert finding.kind == "misfit_all"
    assert "no better than chance" in finding.title


@pytest.mark.parametrize("name", ["camvid", "cats"])
def test_real_pictures_give_none_and_swapped_masks_of_them_are_found(name: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"needs the data set {name} in {REAL}")
    dataset = open_dataset(REAL / name, DataConfig())
    reader, bands = dataset.reader, bands_of(dataset.classes)
    chosen = np.random.default_rng(7).choice(len(reader), 80, replace=False).tolist()
    pairs = [reader.for_network(index, (256, 256)) for index in chosen]
    fits = [fit_of(picture, mask, bands=bands) for picture, mask in pairs]
    assert judged(fits) == []
    swapped = list(fits)
    for one, other in ((5, 60), (33, 71)):
        swapped[one] = fit_of(pairs[one][0], pairs[other][1], bands=bands)
        swapped[other] = fit_of(pairs[other][0], pairs[one][1], bands=bands)
    assert set(seen(judged(swapped))) == {5, 60, 33, 71}
