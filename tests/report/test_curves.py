"""curves.png: drawn for any number of epochs, without a warning and without touching matplotlib's state."""

import sys

import pytest
from PIL import Image

from pixelwise.report.curves import save_curves
from pixelwise.report.history import HistoryRow

NAN = float("nan")


def row(epoch, *, train_loss=0.5, val_loss=0.6, val_miou=0.7, average_miou=None, lr=1e-3):
    return HistoryRow(
        epoch=epoch,
        step=22 * epoch,
        lr=lr,
        train_loss=train_loss,
        val_loss=val_loss,
        val_miou=val_miou,
        val_pixel_accuracy=0.9,
        val_iou=(0.7, None),
        average_miou=average_miou,
        images_per_second=51.25,
        wait_share=0.0,
        seconds=13.5,
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(1)],
        [row(e, val_miou=e / 400, val_loss=1 / e) for e in range(1, 301)],
        [row(1), row(2, val_loss=NAN, train_loss=float("inf")), row(3)],
        [row(1, val_loss=NAN, train_loss=NAN, lr=0.0)],
        [row(e, val_loss=1e9) for e in range(1, 4)],
        [row(e, val_miou=e / 50, average_miou=e / 40) for e in range(1, 31)],
    ],
    ids=["none", "one", "many", "gap", "nothing finite", "huge", "average"],
)
def test_draws(tmp_path, rows):
    path = tmp_path / "curves.png"
    save_curves(rows, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1560
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]


def test_uses_no_pyplot(tmp_path):
    save_curves([row(1)], tmp_path / "curves.png")
    assert "matplotlib.pyplot" not in sys.modules


def test_more_epochs_are_another_picture(tmp_path):
    save_curves([row(1)], tmp_path / "a.png")
    save_curves([row(1), row(2, val_miou=0.9)], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
