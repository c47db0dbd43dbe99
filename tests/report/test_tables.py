"""Tables: what they say, at the widths that terminals and pipes have."""

import io

import numpy as np
import pytest
from rich.console import Console

from pixelwise.metrics import scores
from pixelwise.report.tables import confusion_table, metrics_table, percent, short_count
from pixelwise.types import Classes


def printed(renderable, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()


@pytest.fixture
def metrics():
    # IoU pet 900 / 1100, background 800 / 1000, unicorn absent
    counts = np.array([[900, 100, 0], [100, 800, 0], [0, 0, 0]])
    return scores(counts, Classes(("pet", "[bold]background", "unicorn")))


def test_metrics(metrics):
    text = printed(metrics_table(metrics))
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    # Dice 1800 / 2000, precision and recall 900 / 1000, share 1000 / 1900
    assert lines["pet"] == ["pet", "81.82", "90.00", "90.00", "90.00", "52.63"]
    assert lines["[bold]background"][1] == "80.00"
    assert lines["unicorn"] == ["unicorn", "-", "-", "-", "-", "0.00"]
    assert lines["mean"][1:3] == ["80.91", "89.44"]
    assert "mIoU 80.91" in text
    assert "pixel accuracy 89.47" in text  # 1700 / 1900
    assert "1,900 pixels" in text
    assert "left out of the means: unicorn" in text
    assert "255 is ignored" in text
    assert "\x1b" not in text


def test_confusion(metrics):
    text = printed(confusion_table(metrics))
    rows = [line.split() for line in text.splitlines()]
    assert ["pet", "90.0", "10.0", ".", "1.0k"] in rows
    assert ["[bold]background", "11.1", "88.9", ".", "900"] in rows
    assert ["unicorn", "-", "-", "-", "0"] in rows


def test_thirty_classes_fit_a_wide_terminal():
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 200, (30, 30)) + 100_000 * np.eye(30, dtype=np.int64)
    counts[3, 4] = 50_000
    metrics = scores(counts, Classes(tuple(f"class number {i}" for i in range(30))))
    text = printed(confusion_table(metrics), width=160)
    row = next(line for line in text.splitlines() if "class number 3 " in line).split()
    assert "33" in row  # 50 of 153 thousand went to class 4
    assert "<1" in row
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 160
    assert len([line for line in text.splitlines() if "class number" in line]) == 30


def test_narrow_terminals_get_whole_figures(metrics):
    assert "81.82" in printed(metrics_table(metrics), width=72)


def test_nothing_counted():
    metrics = scores(np.zeros((2, 2), np.int64), Classes(("a", "b")))
    assert "mIoU -" in printed(metrics_table(metrics))
    assert "0 pixels" in printed(metrics_table(metrics))
    printed(confusion_table(metrics))


def test_numbers():
    assert percent(0.12345) == "12.35"  # 12.345 in binary lies just above
    assert percent(None) == "-"
    assert [short_count(n) for n in (0, 999, 1000, 1_250_000, 3 * 10**9, 10**13)] == [
        "0",
        "999",
        "1.0k",
        "1.2M",
        "3.0G",
        "10.0T",
    ]
