"""A pass over data sets: the figures of `metrics`, faults, going on, and CamVid's known shape."""

from __future__ import annotations

import dataclasses
import json
import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import slowly
from PIL import Image

from pixelwise.ceiling import METHODS, CeilingInterrupted, make_grids, measure_ceiling
from pixelwise.ceiling import count as count_module
from pixelwise.ceiling.result import RULE, figures
from pixelwise.ceiling.state import NAME, State
from pixelwise.ceiling.tally import Tally
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.crew import WorkerKilledError
from pixelwise.errors import ConfigError, DataError
from pixelwise.metrics import RULE as METRICS_RULE
from pixelwise.metrics import ConfusionMatrix, scores
from pixelwise.types import Classes

Mask = npt.NDArray[np.uint8]
NAMES = ("ground", "box", "never", "pole")


def write(root: Path, masks: Sequence[Mask], names: Sequence[str] = NAMES) -> Path:
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)).save(root / "images" / f"{number:03d}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number:03d}.png")
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    return root


def drawn(count: int, seed: int = 0) -> list[Mask]:
    """Boxes and poles of odd sizes, some of it ignored."""
    generator = np.random.default_rng(seed)
    masks: list[Mask] = []
    for _ in range(count):
        height, width = generator.integers(9, 22, 2)
        mask = np.zeros((height, width), np.uint8)
        top, left = generator.integers(0, 6, 2)
        mask[top : top + 7, left : left + 5] = 1
        mask[:, generator.integers(0, width)] = 3
        mask[generator.integers(0, height), :3] = 255
        masks.append(mask)
    return masks


CONFIG = DataConfig(map=("255=ignore",), val_last=1)


def test_the_figures_are_those_of_metrics(tmp_path: Path) -> None:
    """Against the confusion matrix of the slow predictions, over the whole set; class `never` is absent."""
    masks = drawn(6)
    dataset = open_dataset(write(tmp_path, masks), CONFIG)
    grids = make_grids((2, 5))
    found = measure_ceiling(dataset, grids=grids, split="all")
    assert found.rule == RULE == METRICS_RULE
    assert (found.pictures, found.skipped, found.methods) == (6, 0, METHODS)
    for item in found.grids:
        for one, method in zip(item.levels, METHODS, strict=True):
            matrix = ConfusionMatrix(4)
            for mask in masks:
                height, width = mask.shape
                matrix.update(slowly.predict(mask, (height, width), item.grid.stride, 4, method), mask)
            wanted = scores(matrix.counts, Classes(NAMES))
            assert one.iou == wanted.iou
            assert one.miou == wanted.miou
            assert one.pixel_accuracy == wanted.pixel_accuracy
            assert one.absent == wanted.absent == ("never",)
            assert found.pixel_share == wanted.pixel_share
    assert found.grids[0].cells == np.mean([-(-m.shape[0] // 2) * -(-m.shape[1] // 2) for m in masks])


def test_a_class_that_is_only_predicted_or_always_missed_has_iou_zero() -> None:
    counts = Tally.empty(grids=1, methods=1, classes=4)
    counts.pictures = 1
    counts.truth[:] = [10, 5, 0, 0]
    counts.missed[0, 0] = [2, 5, 0, 0]
    counts.added[0, 0] = [4, 0, 3, 0]
    level = figures(counts, grids=make_grids((2,)), methods=("soft",), classes=NAMES)[0].levels[0]
    assert level.iou == (8 / 14, 0.0, 0.0, None)
    assert level.miou == pytest.approx(8 / 14 / 3)
    assert level.pixel_accuracy == 8 / 15
    assert level.absent == ("pole",)


def test_json_is_plain(tmp_path: Path) -> None:
    found = measure_ceiling(open_dataset(write(tmp_path, drawn(2)), CONFIG), grids=make_grids((4,)))
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["classes"] == list(NAMES)
    assert document["grids"][0]["grid"]["stride"] == 4
    assert [one["method"] for one in document["grids"][0]["levels"]] == list(METHODS)
    assert document["grids"][0]["levels"][0]["iou"][2] is None
    assert document["recommendation"] == found.recommendation


def test_faults_are_told_and_broken_files_left_out(tmp_path: Path) -> None:
    root = write(tmp_path / "data", drawn(6))
    (root / "masks" / "001.png").write_bytes(b"no picture")
    (root / "images" / "003.png").write_bytes(b"neither")
    state = tmp_path / NAME
    grids = make_grids((2,))
    with pytest.raises(DataError, match=r"2 of 6 samples cannot be used: .*001\.png.*--skip-broken"):
        measure_ceiling(open_dataset(root, CONFIG), grids=grids, split="all", state=state)
    assert json.loads(state.read_text())["done"] == 1  # nothing is counted behind a fault
    skipping = open_dataset(root, dataclasses.replace(CONFIG, skip_broken=True))
    notes: list[str] = []
    found = measure_ceiling(skipping, grids=grids, split="all", state=state, resume=True, note=notes.append)
    assert (found.pictures, found.skipped) == (4, 2)
    assert notes[0] == "going on after 1 of 6 pictures"
    assert "2 samples were left out" in notes[1]
    assert "001.png" in notes[1]
    Image.fromarray(drawn(1)[0] * 0 + 9).save(root / "masks" / "000.png")
    with pytest.raises(DataError, match="the value 9"):
        measure_ceiling(skipping, grids=grids, split="all")


def test_nothing_to_count(tmp_path: Path) -> None:
    root = write(tmp_path, drawn(2))
    dataset = open_dataset(root, dataclasses.replace(CONFIG, skip_broken=True))
    with pytest.raises(ConfigError, match="there is no split 'tset'"):
        measure_ceiling(dataset, grids=make_grids(), split="tset")
    with pytest.raises(ConfigError, match="at least one method"):
        measure_ceiling(dataset, grids=make_grids(), methods=())
    for path in (root / "masks").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 2 pictures of 'all' can be read"):
        measure_ceiling(dataset, grids=make_grids(), split="all")


def stop_after(times: int) -> Any:
    asked = iter(range(times))
    return lambda: next(asked, None) is None


@pytest.mark.parametrize("workers", [1, 3])
def test_stopped_again_and_again_it_counts_the_same(tmp_path: Path, workers: int) -> None:
    root = write(tmp_path / "data", drawn(11))
    dataset = open_dataset(root, dataclasses.replace(CONFIG, workers=workers))
    grids, state = make_grids((2, 3), ((7, 7),)), tmp_path / NAME
    whole = measure_ceiling(dataset, grids=grids, split="all")
    with pytest.raises(CeilingInterrupted, match="stopped after 4 of 11 pictures"):
        measure_ceiling(dataset, grids=grids, split="all", state=state, stop=stop_after(3))
    with pytest.raises(CeilingInterrupted, match="stopped after 9 of 11"):
        measure_ceiling(dataset, grids=grids, split="all", state=state, resume=True, stop=stop_after(4))
    found = measure_ceiling(dataset, grids=grids, split="all", state=state, resume=True)
    assert found == whole
    # What is done is not counted again: every mask could go now.
    again = measure_ceiling(dataset, grids=grids, split="all", state=state, resume=True)
    assert again == whole
    with pytest.raises(CeilingInterrupted, match="stopped after 1 of 11"):  # without resume it begins anew
        measure_ceiling(dataset, grids=grids, split="all", state=state, stop=stop_after(0))


def test_workers_that_got_the_signal_too_are_no_fault() -> None:
    counted, saved = State(Tally.empty(grids=1, methods=1, classes=2)), []

    def end(asked: bool) -> None:
        with count_module._stopping(lambda: saved.append(1), lambda: asked, counted, 5):
            raise WorkerKilledError("a worker process was killed")

    with pytest.raises(CeilingInterrupted, match="stopped after 0 of 5 pictures"):
        end(True)
    assert saved == [1]
    with pytest.raises(WorkerKilledError):
        end(False)
    assert saved == [1]


def test_the_state_is_written_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(write(tmp_path / "data", drawn(5)), dataclasses.replace(CONFIG, workers=1))
    monkeypatch.setattr(count_module, "SECONDS", 0.0)
    state, seen = tmp_path / NAME, []

    def look() -> bool:
        if state.exists():
            seen.append(json.loads(state.read_text())["done"])
        return False

    measure_ceiling(dataset, grids=make_grids((2,)), split="all", state=state, stop=look)
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("change", ["file", "grids", "methods", "split", "classes"])
def test_another_count_is_never_mixed_in(tmp_path: Path, change: str) -> None:
    root = write(tmp_path / "data", drawn(5))
    state = tmp_path / NAME
    arguments: dict[str, Any] = {"grids": make_grids((2,)), "split": "all", "state": state}
    measure_ceiling(open_dataset(root, CONFIG), **arguments)
    before = state.read_bytes()
    config, says = CONFIG, f"begun with other {change}"
    if change == "file":
        path = root / "masks" / "002.png"
        os.utime(path, ns=(1, 1))
        says = "files that have changed since"
    elif change == "grids":
        arguments["grids"] = make_grids((4,))
    elif change == "methods":
        arguments["methods"] = ("soft",)
    elif change == "split":
        arguments["split"], says = "train", "begun with other data, split"
    else:
        config = dataclasses.replace(CONFIG, merge=("box,pole=thing",))
        says = "begun with other classes, data"
    dataset = open_dataset(root, config)
    with pytest.raises(DataError, match=says):
        measure_ceiling(dataset, **arguments, resume=True)
    assert state.read_bytes() == before
    measure_ceiling(dataset, **arguments)  # anew it goes
    assert state.read_bytes() != before


def damaged(document: dict[str, Any], how: str) -> Any:
    changes: dict[str, dict[str, Any]] = {
        "format": {"pixelwise_ceiling": 2},
        "no job": {"job": 3},
        "negative": {"missed": [[[-1] * 4] * 3]},
        "shape": {"truth": [1, 2]},
        "ragged": {"added": [[[1], [1, 2]]]},
        "huge": {"truth": [10**30, 0, 0, 0]},
        "text": {"cells": ["many"]},
        "share": {"cells": [0.5]},
        "too many": {"done": 99, "pictures": 99},
        "does not add up": {"done": 2},
        "switch": {"done": True},
        "reasons": {"reasons": "none"},
    }
    return {**document, **changes[how]}


@pytest.mark.parametrize(
    "how",
    [
        "format",
        "no job",
        "negative",
        "shape",
        "ragged",
        "huge",
        "text",
        "share",
        "too many",
        "does not add up",
        "switch",
        "reasons",
    ],
)
def test_a_damaged_state_is_refused(tmp_path: Path, how: str) -> None:
    dataset = open_dataset(write(tmp_path / "data", drawn(3)), CONFIG)
    state = tmp_path / NAME
    measure_ceiling(dataset, grids=make_grids((2,)), split="all", state=state)
    state.write_text(json.dumps(damaged(json.loads(state.read_text()), how)))
    with pytest.raises(DataError, match="is no state of a count that pixelwise wrote"):
        measure_ceiling(dataset, grids=make_grids((2,)), split="all", state=state, resume=True)


def test_a_cut_state_is_refused(tmp_path: Path) -> None:
    dataset = open_dataset(write(tmp_path / "data", drawn(3)), CONFIG)
    state = tmp_path / NAME
    measure_ceiling(dataset, grids=make_grids((2,)), split="all", state=state)
    state.write_bytes(state.read_bytes()[:-20])
    with pytest.raises(DataError, match="no whole json"):
        measure_ceiling(dataset, grids=make_grids((2,)), split="all", state=state, resume=True)


def test_memory_does_not_grow_with_the_data_set(tmp_path: Path) -> None:
    """Three times the pictures, the same peak: masks stream, and the state has the same size."""
    root = write(tmp_path / "data", [np.zeros((300, 300), np.uint8)] * 60)

    def peak(last: int) -> int:
        dataset = open_dataset(root, dataclasses.replace(CONFIG, val_last=last))
        tracemalloc.start()
        measure_ceiling(dataset, grids=make_grids((2, 8)))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(59) < 1.3 * peak(15)


def test_camvid_has_its_known_shape(real_data: Path) -> None:
    """On the test masks, measured by other means: 97.1, 92.6, 84.8, 75.6, 64.4 percent by the soft method."""
    dataset = open_dataset(real_data / "camvid")
    some = dataclasses.replace(dataset, split=dataclasses.replace(dataset.split, val=dataset.split.val[::5]))
    found = measure_ceiling(some, grids=make_grids(), methods=("soft",))
    assert found.pictures == 21
    miou = [100 * (item.levels[0].miou or 0) for item in found.grids]
    assert miou == sorted(miou, reverse=True)
    assert np.abs(np.array(miou) - (97.1, 92.6, 84.8, 75.6, 64.4)).max() < 2.5
    pole = found.classes.index("pole")
    assert min(range(11), key=lambda place: found.grids[2].levels[0].iou[place] or 0) == pole
    assert found.recommendation.startswith("stride 4 keeps 93")
    assert "pole" in found.recommendation
