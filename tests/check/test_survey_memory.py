"""What is kept of a sample is a few dozen bytes: the rest is on disk."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pixelwise.check.facts import Facts, Fault
from pixelwise.check.finding import MOST_EXAMPLES
from pixelwise.check.fit import Fit
from pixelwise.check.likeness import Likeness
from pixelwise.check.survey import Survey
from pixelwise.data import Split
from pixelwise.data.dataset import Dataset
from pixelwise.types import Classes

CLASSES = Classes(tuple(f"class {number}" for number in range(20)))


def dataset(count: int) -> Dataset:
    """Of so many samples that nobody looks at."""

    class Reader:
        classes = CLASSES

        def __len__(self) -> int:
            return count

    made = SimpleNamespace(reader=Reader(), classes=CLASSES, split=Split(tuple(range(count)), (), "by hand"))
    return cast("Dataset", cast("Any", made))


def sound(index: int) -> Facts:
    return Facts(
        size=(96, 128),
        pixels={0: 12000, 3: 288},
        breadths={(0, 3): 12000, (3, 2): 288},
        labels=f"{index:016x}",
        likeness=Likeness(f"{index:032x}", index.to_bytes(4, "big") * 256),
        fit=Fit(400.0, *(float(index + place) for place in range(10))),
    )


def grown(count: int, folder: Path) -> tuple[int, Survey]:
    """Bytes that so many samples take, and what is known of them."""
    looked_at = dataset(count)
    tracemalloc.start()
    survey = Survey(looked_at, folder)
    for index in range(count):
        survey.add(index, sound(index))
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return taken, survey


def test_it_does_not_grow_by_what_pictures_look_like(tmp_path: Path) -> None:
    few, _ = grown(500, tmp_path)
    many, survey = grown(2500, tmp_path)
    assert many - few < 100 * 2000
    assert survey.digests[7].tolist() == [0, 7]
    assert survey.thumbnails[np.array([1999])].tobytes() == (1999).to_bytes(4, "big") * 256
    assert survey.fits[np.array([5])].tolist() == [[400.0, *range(5, 15)]]
    assert np.unpackbits(survey.present[0], bitorder="little").nonzero()[0].tolist() == [0, 3]


def test_of_many_faults_the_first_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    survey = Survey(dataset(500), tmp_path)
    for index in range(500):
        survey.add(index, Facts(fault=Fault(kind="values", text=f"mask {index}", seen={7: 1, index: 2})))
    assert [item.index for item in survey.faults] == list(range(MOST_EXAMPLES))
    assert not any(item.fault.seen for item in survey.faults)
    assert list(survey.faulty["values"]) == list(range(500))
    assert survey.seen[7] == 501  # one of each other, two of the seventh
