"""history.csv: exact both ways, never half-written."""

import dataclasses
import json

import pytest

from pixelwise.errors import DataError
from pixelwise.report.history import HistoryRow, read_history, write_history
from pixelwise.types import Classes

CLASSES = Classes(("pet", 'a, quoted "name"'))


def row(epoch=1, **changes):
    values = {
        "epoch": epoch,
        "step": 22 * epoch,
        "lr": 1e-3 / 3,
        "train_loss": 1 / 3,
        "val_loss": 0.1 + 0.2,
        "val_miou": 0.7,
        "val_pixel_accuracy": 0.9,
        "val_iou": (0.7, None),
        "images_per_second": 51.25,
        "wait_share": 0.0,
        "seconds": 13.5,
    }
    return HistoryRow(**{**values, **changes})


def test_round_trip_is_exact(tmp_path):
    rows = [row(1), row(2, val_iou=(1.0, 0.0), lr=5e-324), row(3, train_loss=float("inf"))]
    path = tmp_path / "history.csv"
    write_history(rows[:1], path, CLASSES)
    write_history(rows, path, CLASSES)
    assert read_history(path) == rows
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


def test_one_column_per_class(tmp_path):
    path = tmp_path / "history.csv"
    write_history([row()], path, CLASSES)
    header, first = path.read_text().splitlines()
    assert header.endswith(',val_iou/pet,"val_iou/a, quoted ""name"""')
    assert header.startswith("epoch,step,lr,train_loss,val_loss,val_miou")
    assert first.endswith(",0.7,")  # an absent class has an empty cell


def test_no_row_yet(tmp_path):
    write_history([], tmp_path / "history.csv", CLASSES)
    assert read_history(tmp_path / "history.csv") == []


def test_the_old_file_survives_a_failed_write(tmp_path):
    path = tmp_path / "history.csv"
    write_history([row()], path, CLASSES)
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        write_history([row(), object()], path, CLASSES)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_path_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"history\.csv cannot be written"):
        write_history([row()], tmp_path / "file" / "history.csv", CLASSES)


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "\x00", None, "HEADER\n1,2\n", "HEADER\nx,1,1,1,1,1,1,1,1,1,1,1\n"]
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "history.csv"
    if text is not None:
        write_history([], path, CLASSES)
        path.write_text(text.replace("HEADER\n", path.read_text()))
    with pytest.raises(DataError, match=r"history\.csv"):
        read_history(path)


def test_json_round_trip():
    assert HistoryRow.from_json(json.loads(json.dumps(row().to_json()))) == row()
    # What a checkpoint holds.
    assert HistoryRow.from_json(json.loads(json.dumps(dataclasses.asdict(row())))) == row()
    for wrong in ([], {"epoch": 1}, {**row().to_json(), "extra": 1}):
        with pytest.raises(DataError):
            HistoryRow.from_json(wrong)
