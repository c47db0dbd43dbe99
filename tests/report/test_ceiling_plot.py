"""ceiling.png and the table: drawn for any number of grids and classes, with any name, without a warning."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pixelwise.ceiling import METHODS, Ceiling, Grid, Method, make_grids
from pixelwise.ceiling.result import figures, shares
from pixelwise.ceiling.tally import Tally
from pixelwise.report.ceiling_plot import MOST_CLASSES, save_ceiling_plot
from pixelwise.report.ceiling_table import ceiling_table


def made_up(
    classes: tuple[str, ...],
    grids: tuple[Grid, ...],
    methods: tuple[Method, ...] = METHODS,
    pixels: int = 1000,
) -> Ceiling:
    """The finer the grid and the lower the class's number, the less is missed; the last class is absent."""
    counts = Tally.empty(grids=len(grids), methods=len(methods), classes=len(classes))
    counts.pictures = 10
    counts.truth[:-1] = pixels
    counts.cells[:] = [1000 // (place + 1) for place in range(len(grids))]
    place = np.arange(len(grids))[:, None, None] / len(grids)
    label = np.arange(len(classes))[None, None, :] / len(classes)
    counts.missed[:] = (pixels * place * label * (counts.truth > 0)).astype(np.int64)
    return Ceiling(
        classes=classes,
        pictures=10,
        skipped=0,
        pixel_share=shares(counts.truth.tolist()),
        grids=figures(counts, grids=grids, methods=methods, classes=classes),
        recommendation="stride 4 keeps $93$ of 100: take it",
    )


MANY = tuple(f"class {number} of a long name that nobody reads" for number in range(150))
CASES = {
    "usual": made_up(("road", "pole", "none"), make_grids()),
    "one grid": made_up(("road", "$x_1$", "[bold]none"), (Grid(stride=3),), ("majority",)),
    "many": made_up(MANY, make_grids(range(1, 15))),
    "sizes": made_up(("a", "b", "c"), make_grids((1, 4), ((240, 320), (80, 80)), "letterbox")),
    "nothing labelled": made_up(("a", "b"), make_grids((2, 4)), pixels=0),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", CASES)
def test_draws(tmp_path: Path, case: str) -> None:
    path = tmp_path / "folder" / "ceiling.png"
    save_ceiling_plot(CASES[case], path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width < 5000
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
    assert "matplotlib.pyplot" not in sys.modules


def test_other_figures_are_another_picture(tmp_path: Path) -> None:
    save_ceiling_plot(CASES["usual"], tmp_path / "a.png")
    save_ceiling_plot(made_up(("road", "pole", "none"), make_grids((2, 4))), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_of_many_classes_the_worst_are_drawn(tmp_path: Path) -> None:
    from pixelwise.report.ceiling_plot import _rows  # pyright: ignore[reportPrivateUsage]

    rows = _rows(CASES["many"])
    assert rows == list(range(149 - MOST_CLASSES, 149))  # the last is absent
    assert _rows(CASES["usual"]) == [0, 1, 2]


@pytest.mark.parametrize("case", CASES)
def test_the_table_has_every_class_and_method(case: str) -> None:
    ceiling = CASES[case]
    console = Console(width=600, color_system=None)
    with console.capture() as capture:
        console.print(ceiling_table(ceiling))
    said = capture.get()
    assert all(name in said for name in ceiling.classes)
    assert all(f"mIoU, {method}" in said for method in ceiling.methods)
    assert all(part in said for item in ceiling.grids for part in item.grid.name.split())
    assert ceiling.rule in said


def test_the_table_by_hand() -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(ceiling_table(made_up(("road", "pole", "none"), make_grids((2, 4)), ("soft",))))
    rows = {line.split()[0]: line.split()[1:] for line in capture.get().splitlines() if line.split()}
    # Of 1000 pixels of pole, 1/2 * 1/3 are missed at the second grid: 834 of 1000 are left.
    assert rows["road"] == ["50.0", "100.0", "100.0"]
    assert rows["pole"] == ["50.0", "100.0", "83.4"]
    assert rows["none"] == ["0.0", "-", "-"]
    assert rows["mIoU,"] == ["soft", "100.0", "91.7"]
    assert rows["cells"] == ["a", "picture", "100", "50"]
    assert rows["absent,"][-1] == "none"
