"""`--snap`: what compression moved is taken for the nearest class, and nothing else is."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stripes import ids

from pixelwise.config import DataConfig, changed
from pixelwise.data import open_dataset
from pixelwise.data.mapping import LabelTable, UnknownValueError, build_table
from pixelwise.data.mendable import MendableError
from pixelwise.data.snap import AMBIGUOUS, largest_tolerance, nearest_colours
from pixelwise.errors import ConfigError, DataError

MASK = Path("masks/a.png")
COLOURS = {(128, 0, 0): 0, (0, 128, 0): 1, (224, 224, 192): 255}


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def jpeg(array: np.ndarray, quality: int = 75) -> np.ndarray:
    """What comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def discs(*values: int | tuple[int, int, int], size: int = 64) -> np.ndarray:
    """A mask whose rings hold the values."""
    rows, columns = np.mgrid[:size, :size] - size / 2
    ring = np.minimum((np.hypot(rows, columns) * 2 * len(values) / size / 1.5).astype(int), len(values) - 1)
    return np.array(values, np.uint8)[ring]


def test_values_near_a_known_one_are_taken_for_it_and_128_stays_unknown():
    table = LabelTable(2, {0: 0, 255: 1}, tolerance=40)
    assert table.apply(row(0, 255, 3, 250, 40, 215), MASK).tolist() == [[0, 1, 0, 1, 0, 1]]
    for value in (41, 128, 214):
        with pytest.raises(
            UnknownValueError, match=f"the value {value} .* which no class has within --snap 40"
        ):
            table.apply(row(0, 255, value), MASK)
        assert not table.knows(value)
    assert table.knows(40)
    wide = np.array([[0, 3, 300]], np.uint16)
    with pytest.raises(UnknownValueError, match="the value 300 "):
        table.apply(wide, MASK)
    assert table.apply(wide[:, :2], MASK).tolist() == [[0, 0]]


def test_ids_are_too_near_each_other_to_snap():
    for tolerance in (1, 2, 40):
        with pytest.raises(ConfigError, match=r"cannot tell the values 0 and 1, .*: leave it away"):
            LabelTable(12, {value: value for value in range(12)}, tolerance=tolerance)
    with pytest.raises(ConfigError, match=r"--snap 43 cannot tell the values 0 and 85.*take at most 42"):
        LabelTable(3, {0: 0, 85: 1, 255: 2}, tolerance=43)
    assert largest_tolerance({0: 0, 85: 1, 255: 2}) == 42
    assert LabelTable(3, {0: 0, 85: 1, 255: 2}, tolerance=42).apply(row(42, 43), MASK).tolist() == [[0, 1]]
    # 84 and 85 are one class, so nothing lies between two.
    joined = LabelTable(2, {0: 0, 84: 1, 85: 1}, tolerance=20)
    assert joined.apply(row(64, 105, 20), MASK).tolist() == [[1, 1, 0]]


def test_colours_a_few_units_off():
    table = LabelTable(2, {0: 0, 1: 1}, COLOURS, tolerance=10)
    raw = np.array([[(128, 0, 0), (120, 9, 3), (5, 130, 10), (230, 220, 200)]], np.uint8)
    assert table.apply(raw, MASK).tolist() == [[0, 0, 1, 255]]
    assert table.apply(raw, MASK).tolist() == [[0, 0, 1, 255]]  # and again, from what was learnt
    raw[0, 1] = (117, 0, 0)
    with pytest.raises(
        UnknownValueError, match=r"the colour 117 0 0 \(1 pixels\), which no class has within"
    ):
        table.apply(raw, MASK)
    # Value masks of the same classes stay exact: 0 and 1 are neighbours.
    assert table.apply(row(0, 1), MASK).tolist() == [[0, 1]]
    with pytest.raises(UnknownValueError, match=r"the value 2 .*cannot tell the values 0 and 1"):
        table.apply(row(0, 1, 2), MASK)


def test_between_two_colours_the_nearer_counts_and_the_middle_is_an_error():
    table = LabelTable(2, {}, {(0, 0, 100): 0, (0, 0, 120): 1}, tolerance=15)
    assert table.apply(np.array([[(0, 0, 109), (0, 0, 111)]], np.uint8), MASK).tolist() == [[0, 1]]
    with pytest.raises(UnknownValueError, match=r"--snap 15: 0 0 110 is as near to one as to another"):
        table.apply(np.array([[(0, 0, 110), (0, 0, 100)]], np.uint8), MASK)
    same = LabelTable(1, {}, {(0, 0, 100): 0, (0, 0, 120): 0}, tolerance=15)
    assert same.apply(np.array([[(0, 0, 110), (0, 0, 100)]], np.uint8), MASK).tolist() == [[0, 0]]


channel = st.integers(0, 255)
colour = st.tuples(channel, channel, channel)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(colour, st.integers(0, 3), min_size=1, max_size=5),
    st.lists(colour, min_size=1, max_size=8),
    st.integers(0, 127),
)
def test_nearest_colours_one_by_one(known, asked, tolerance):
    codes = np.array([r + 256 * g + 65536 * b for r, g, b in asked], np.uint32)
    for one, found in zip(asked, nearest_colours(codes, known, tolerance), strict=True):
        near = [c for c in known if max(abs(a - b) for a, b in zip(c, one, strict=True)) <= tolerance]
        distances = {c: sum((a - b) ** 2 for a, b in zip(c, one, strict=True)) for c in near}
        best = {known[c] for c in near if distances[c] == min(distances.values())}
        expected = 0 if not near else AMBIGUOUS if len(best) > 1 else best.pop() + 1
        assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(0, 65535), st.integers(0, 2), min_size=1, max_size=4),
    st.lists(st.integers(0, 65535), min_size=1, max_size=20),
    st.integers(1, 200),
)
def test_values_one_by_one(known, asked, tolerance):
    largest = largest_tolerance(known)
    if largest is not None and tolerance > largest:
        with pytest.raises(ConfigError, match="cannot tell the values"):
            LabelTable(3, known, tolerance=tolerance)
        return
    table = LabelTable(3, known, tolerance=tolerance)
    raw = np.array([asked], np.uint16)
    near = [{known[k] for k in known if abs(k - value) <= tolerance} for value in asked]
    if all(near):
        assert table.apply(raw, MASK).tolist() == [[found.pop() for found in near]]
    else:
        with pytest.raises(UnknownValueError):
            table.apply(raw, MASK)


def test_resized_masks_are_snapped_too():
    raw = jpeg(discs(0, 255))
    table = LabelTable(2, {0: 0, 255: 1}, tolerance=127)
    small = table.apply_at(raw, (16, 16), MASK)
    assert np.array_equal(small, table.apply(raw, MASK)[2::4, 2::4])
    noise = np.random.default_rng(5).integers(0, 10, (64, 64, 1)).astype(np.uint8)
    coloured = discs((128, 0, 0), (0, 128, 0)) + noise
    table = LabelTable(2, {}, COLOURS, tolerance=9)
    assert np.array_equal(table.apply_at(coloured, (16, 16), MASK), discs(0, 1)[2::4, 2::4])


def test_the_tolerance_is_in_the_digest_and_tables_without_keep_theirs():
    plain, snapped = build_table(2, {255: 1}), LabelTable(2, {0: 0, 255: 1}, tolerance=8)
    assert plain.digest() != snapped.digest()
    assert plain.digest() == LabelTable(2, {0: 0, 255: 1}, tolerance=0).digest()
    # What the first version hashed, so that caches that are there stay valid.
    assert plain.digest() == hashlib.sha256(b"[2, [[0, 0], [255, 1]], []]").hexdigest()


@pytest.fixture
def smoothed(make_set) -> Path:
    """0 and 255 as JPEG leaves them, saved as PNG; with hand-set values on both sides."""
    mask = discs(0, 255)
    noisy = mask.copy()
    noisy[0, :6] = (245, 250, 251, 252, 253, 254) if mask[0, 0] else (1, 2, 3, 4, 5, 10)
    noisy[32, 30:36] = (1, 2, 3, 4, 5, 10) if not mask[32, 32] else (245, 250, 251, 252, 253, 254)
    return make_set({"a": noisy, "b": mask, "c": noisy})


def test_smoothed_0_255_is_recognised_and_the_proposal_mends_it(smoothed):
    with pytest.raises(MendableError, match=r"the values lie round .*add --map 255=1 --snap 16;") as caught:
        open_dataset(smoothed)
    assert dict(caught.value.changes) == {"map": ("255=1",), "snap": 16}  # 10 off at most; steps 8, 16
    dataset = open_dataset(smoothed, changed(DataConfig(), caught.value.changes))
    assert dataset.classes.names == ("class_0", "class_1")
    assert any("up to 16 off a class's" in note for note in dataset.notes)
    for sample in dataset.reader:
        assert np.array_equal(sample.mask, discs(0, 1))


def test_with_names_too(smoothed):
    named = DataConfig(classes=("ground", "disc"))
    with pytest.raises(UnknownValueError) as caught:
        open_dataset(smoothed, named).reader[0]
    assert caught.value.changes == {"map": ("255=1",), "snap": 16}
    reader = open_dataset(smoothed, changed(named, caught.value.changes)).reader
    assert np.array_equal(reader[0].mask, discs(0, 1))
    with pytest.raises(UnknownValueError) as caught:  # the map alone: then the tolerance alone is missing
        open_dataset(smoothed, DataConfig(classes=("ground", "disc"), map=("255=1",))).reader[0]
    assert caught.value.changes == {"snap": 16}


@pytest.mark.parametrize("quality", [95, 75, 40])
def test_real_jpeg_masks(make_set, save, quality):
    root = make_set({"a": ids(0, 255)})
    for name in "ab":
        save(f"set/images/{name}.png", np.zeros((64, 64, 3), np.uint8))
        (root / "masks" / f"{name}.png").unlink(missing_ok=True)
        save(f"set/masks/{name}.jpg", discs(0, 255), quality=quality)
    with pytest.raises(
        MendableError, match=r"JPEG compression invents .*, or take each .* with --map 255=1"
    ) as caught:
        open_dataset(root)
    config = changed(DataConfig(), caught.value.changes)
    sample = open_dataset(root, config).reader[1]
    assert (sample.mask != discs(0, 1)).mean() < 0.01


def test_rgb_masks_with_colours_off(save, tmp_path):
    mask = discs((0, 0, 0), (128, 0, 0), (0, 128, 128))
    save("set/images/a.png", np.zeros((64, 64, 3), np.uint8))
    path = save("set/masks/a.jpg", mask, quality=98, subsampling=0)
    (tmp_path / "set" / "classes.txt").write_text("ground 0 0 0\nred 128 0 0\nblue 0 128 128\n")
    with pytest.raises(UnknownValueError, match="JPEG compression invents") as caught:
        open_dataset(tmp_path / "set").reader[0]
    assert caught.value.path == path
    assert set(caught.value.changes) == {"snap"}
    config = changed(DataConfig(), caught.value.changes)
    found = open_dataset(tmp_path / "set", config).reader[0].mask
    assert (found != discs(0, 1, 2)).mean() < 0.02
    # What --binary makes of the classes keeps the tolerance.
    merged = open_dataset(tmp_path / "set", changed(config, {"binary": "red"})).reader
    assert np.array_equal(merged[0].mask, found == 1)


def test_what_is_no_smoothed_mask_gets_no_tolerance(make_set, rng):
    # A photo; ids beside 255; a true third value between.
    photo = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    table = build_table(2, {255: 1})
    assert table.propose({int(v): int(n) for v, n in enumerate(np.bincount(photo.ravel()))}).changes == {}
    assert build_table(3, {}).propose({0: 90, 1: 5, 2: 5, 3: 9, 255: 8}).snap == 0
    assert table.propose({0: 900, 128: 300, 255: 900}).snap == 0
    with pytest.raises(MendableError) as caught:
        open_dataset(make_set({"a": ids(0, 1, 4, 255)}))
    assert "snap" not in caught.value.changes


def test_snap_needs_to_know_the_values(make_set):
    root = make_set({"a": ids(0, 1, 2), "b": ids(0, 1, 2)})
    with pytest.raises(ConfigError, match="cannot tell the values 0 and 1"):
        open_dataset(root, DataConfig(snap=4))
    with pytest.raises(ConfigError, match="needs to know the values that are meant"):
        open_dataset(root, DataConfig(snap=4, map=("255=ignore",)))
    far = make_set({"a": ids(0, 100, 255)}, root="far")
    with pytest.raises(DataError, match=r"the value 100 .*which no class has within --snap 40"):
        open_dataset(far, DataConfig(snap=40, map=("255=1",)))


def test_shapes_are_not_snapped(tmp_path, save):
    save("set/train/images/a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "set/train/labels").mkdir()
    (tmp_path / "set/train/labels/a.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    (tmp_path / "set/data.yaml").write_text("names: [box]\ntrain: train/images\n")
    for config in (DataConfig(snap=4), DataConfig(fit_masks=True)):
        with pytest.raises(ConfigError, match="is for mask files, but yolo has shapes"):
            open_dataset(tmp_path / "set", config)
