"""The plot of docs/guide/choose.md: which networks are joined, what is refused, labels that hide nothing."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "guide"


@pytest.fixture
def plot(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("draw_choose")
    for name in ("draw_choose", "choose_rows"):
        sys.modules.pop(name, None)


def rows(
    *found: tuple[str, float, float, str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results of accuracy.py and latency.py from names, mIoU, milliseconds and weights."""
    accuracy = [
        {
            "name": name,
            "network": name,
            "arguments": ["a=1"],
            "weights": weights,
            "miou": miou,
            "interval": [miou - 0.01, miou + 0.02],
            "iou": {"pole": miou / 2},
            "steps": 1000,
        }
        for name, miou, _, weights in found
    ]
    latency = [
        {"network": name, "arguments": ["a=1"], "milliseconds": {"torch": {"median": time}}}
        for name, _, time, _ in found
    ]
    return accuracy, latency


FOUND = (
    ("slow", 0.7, 40.0, "ImageNet"),
    ("beaten", 0.6, 30.0, "drawn"),
    ("middle", 0.65, 20.0, "ImageNet"),
    ("quick", 0.5, 10.0, "drawn"),
    ("as quick", 0.4, 10.0, "drawn"),
    ("longer", 0.9, 5.0, "recipe"),
    ("again", 0.8, 5.0, "encoder of longer"),
)


def test_the_front_is_of_those_that_had_the_same_work(plot: Any) -> None:
    best = plot.front(plot.join(*rows(*FOUND), "torch"))
    assert [point.name for point in best] == ["quick", "middle", "slow"]
    assert plot.steps(best, until=50.0) == [
        (10.0, 50.0),
        (20.0, 50.0),
        (20.0, 65.0),
        (40.0, 65.0),
        (40.0, 70.0),
        (50.0, 70.0),
    ]


def test_points_are_in_percent_with_their_interval(plot: Any) -> None:
    (point,) = plot.join(*rows(FOUND[1]), "torch")
    assert (point.milliseconds, point.miou, point.kind) == (30.0, 60.0, "drawn")
    assert (point.low, point.high) == pytest.approx((59.0, 62.0))


def test_a_network_without_a_time_ends_it(plot: Any) -> None:
    accuracy, latency = rows(*FOUND)
    with pytest.raises(SystemExit, match=r"no time in torch for slow: run benchmarks/latency\.py"):
        plot.join(accuracy, latency[1:], "torch")
    with pytest.raises(SystemExit, match="no time in openvino for slow, beaten"):
        plot.join(accuracy, latency, "openvino")


def test_labels_cover_neither_each_other_nor_points(plot: Any) -> None:
    crowd = tuple((f"network {i}", 0.6 + 0.004 * i, 10.0 + i, "drawn") for i in range(8))
    points = plot.join(*rows(*FOUND, *crowd), "torch")
    figure, axis = plot.plt.subplots(figsize=(9, 6), layout="constrained")
    plot.draw(figure, axis, points)
    boxes = {label.get_text(): plot.Text.get_window_extent(label) for label in axis.texts}
    assert set(boxes) == {point.name for point in points}
    assert not [pair for pair in itertools.combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]
    for point in points:
        x, y = axis.transData.transform((point.milliseconds, point.miou))
        assert not [name for name, box in boxes.items() if box.contains(x, y)]
    plot.plt.close(figure)


def test_from_results_to_a_picture_and_a_table(
    plot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accuracy, latency = rows(*FOUND[:-2])
    recipe = {
        "recipe": "best",
        "value": 0.8,
        "interval": [0.79, 0.82],
        "runs": [
            {
                "settings": {"model": "slow", "model_args": ["a=1"]},
                "figures": {"mIoU": {"value": 0.8}, "IoU of pole": {"value": 0.1234}},
                "steps": 12345,
            }
        ],
    }
    results = {
        "accuracy": {"networks": accuracy},
        "latency": {
            "networks": latency,
            "size": [360, 480],
            "hardware": {"cores": 2, "processor": "a processor"},
        },
        "recipe": recipe,
    }
    for name, result in results.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    names = [str(tmp_path / f"{name}.json") for name in results]
    out = tmp_path / "choose.png"
    words = [*names[:2], "--recipes", names[2], "--way", "torch", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["draw_choose.py", *words])
    plot.main()
    with Image.open(out) as picture:
        assert picture.size == (990, 660)
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == "| recipe best | recipe | 12,345 | 80.0 (79.0 to 82.0) | 12.3 | 40 |  |  |"
    assert printed[3] == "| slow | ImageNet | 1,000 | 70.0 (69.0 to 72.0) | 35.0 | 40 |  |  |"
    assert printed[-1].endswith("quick, middle, slow are on the front")
