"""The cache: decodes once, notices every change, survives damage, and is said aloud when it cannot be."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset, reader, verify
from pixelwise.data.cache import prepare
from pixelwise.data.resize import resize_mask, resize_picture
from pixelwise.errors import DataError

SIZE = (4, 6)


@pytest.fixture
def root(make_set) -> Path:
    masks = {f"s{i}": ids(*([0] * i + [1] * (6 - i))) for i in range(6)}
    return make_set(masks, classes="ground\nbox\n")


def _prepare(root: Path, **settings):
    config = DataConfig(val_last=2, cache_dir=root.parent / "cache", **settings)
    return prepare(open_dataset(root, config), SIZE, config)


def _rows(prepared):
    return [prepared.pair(i) for i in range(len(prepared))]


def _forbid_decoding(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(reader, "read_picture", refuse)
    monkeypatch.setattr(reader, "read_mask_values", refuse)


def test_what_is_cached_is_what_decoding_gives(root):
    first = _prepare(root)
    assert first.train.cached
    assert len(first.train) == 4
    assert len(first.val) == 2
    assert first.train.indices.tolist() == [0, 1, 2, 3]
    plain = _prepare(root, cache=False)
    assert not plain.train.cached
    assert plain.data_hash == first.data_hash
    samples = open_dataset(root).reader
    for side, other, offset in ((first.train, plain.train, 0), (first.val, plain.val, 4)):
        for i, (cached, decoded) in enumerate(zip(_rows(side), _rows(other), strict=True)):
            sample = samples[i + offset]
            for array, again, expected in zip(
                cached,
                decoded,
                (resize_picture(sample.image, SIZE), resize_mask(sample.mask, SIZE)),
                strict=True,
            ):
                assert np.array_equal(array, expected)
                assert np.array_equal(again, expected)
        assert (
            side.class_counts.tolist()
            == np.sum([np.bincount(mask.ravel(), minlength=2) for _, mask in _rows(side)], axis=0).tolist()
        )


def test_the_second_time_decodes_nothing(root, monkeypatch):
    first = [[array.copy() for array in pair] for pair in _rows(_prepare(root).train)]
    _forbid_decoding(monkeypatch)
    again = _prepare(root)
    assert any("come from the cache" in note for note in again.notes)
    for before, after in zip(first, _rows(again.train), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("change", ["picture", "mask", "map"])
def test_a_change_is_noticed(root, change):
    before = _prepare(root)
    settings = {}
    if change == "map":
        settings["map"] = ("1=0", "0=1")
    else:
        path = root / f"{change}s" / "s0.png" if change == "mask" else root / "images" / "s0.png"
        array = np.asarray(Image.open(path)).copy()
        array[0, 0] = 0 if change == "mask" else 77
        Image.fromarray(array).save(path)
    after = _prepare(root, **settings)
    assert not any("come from the cache" in note for note in after.notes)
    assert (after.data_hash == before.data_hash) == (change == "map")
    pairs = zip(_rows(before.train), _rows(after.train), strict=True)
    assert any(not np.array_equal(a, b) for old, new in pairs for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("damage", ["cut", "header", "missing"])
def test_a_damaged_entry_is_made_anew(root, damage):
    expected = [[array.copy() for array in pair] for pair in _rows(_prepare(root).train)]
    entry = next((root.parent / "cache" / "pictures").iterdir())
    images = entry / "images.u8"
    if damage == "cut":
        images.write_bytes(images.read_bytes()[:-1])
    elif damage == "header":
        (entry / "header.json").write_text("{")
    else:
        (entry / "masks.u8").unlink()
    again = _prepare(root)
    assert any("damaged" in note for note in again.notes)
    assert again.train.cached
    for before, after in zip(expected, _rows(again.train), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_cache_that_cannot_be_written_is_said_aloud(root):
    (root.parent / "cache").write_text("a file in the way")
    prepared = _prepare(root)
    assert not prepared.train.cached
    assert any("the cache could not be written" in note and "--cache-dir" in note for note in prepared.notes)
    assert len(_rows(prepared.train)) == 4


def test_an_interrupted_fill_leaves_nothing_and_is_repeated(root, monkeypatch):
    check = verify.check_samples
    monkeypatch.setattr("pixelwise.data.cache.check_samples", _stop_after(check, 3))
    with pytest.raises(KeyboardInterrupt):
        _prepare(root)
    entries = list((root.parent / "cache" / "pictures").iterdir())
    assert entries == []
    monkeypatch.undo()
    assert _prepare(root).train.cached


def _stop_after(function, count):
    def stopped(*args, **kwargs):
        for number, item in enumerate(function(*args, **kwargs)):
            if number == count:
                raise KeyboardInterrupt
            yield item

    return stopped


def _fill(root: Path, queue) -> None:
    prepared = _prepare(root)
    queue.put((prepared.train.cached, int(sum(int(image.sum()) for image, _ in _rows(prepared.train)))))


def test_two_processes_fill_at_once(root):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_fill, args=(root, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert results[0] == results[1]
    assert results[0][0]
    assert len(list((root.parent / "cache" / "pictures").iterdir())) == 1


def test_broken_pictures_stop_or_are_listed(root):
    path = root / "images" / "s1.png"
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match=r"s1\.png.*--skip-broken"):
        _prepare(root)
    for _ in range(2):  # from the files, then from the cache
        prepared = _prepare(root, skip_broken=True)
        assert prepared.train.indices.tolist() == [0, 2, 3]
        assert len(prepared.skipped) == 1
        assert "s1.png" in prepared.skipped[0]
        assert any("1 samples were left out" in note for note in prepared.notes)
    with pytest.raises(DataError, match=r"1 of 6 samples cannot be read: .*s1\.png.*--skip-broken"):
        _prepare(root)  # what the cache knows to be broken is refused all the same


def test_wrong_values_are_not_skipped(root):
    Image.fromarray(ids(0, 9)).save(root / "masks" / "s2.png")
    with pytest.raises(DataError, match=r"s2\.png holds the value 9 \(24 pixels\)"):
        _prepare(root, skip_broken=True)


def test_a_side_without_pictures_is_refused(root):
    for name in ("s4", "s5"):
        (root / "images" / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no validation picture is left"):
        _prepare(root, skip_broken=True)


def test_progress_is_told(root):
    told = []
    config = DataConfig(val_last=2, cache_dir=root.parent / "cache")
    prepare(open_dataset(root, config), SIZE, config, progress=lambda *facts: told.append(facts))
    texts = {text for text, _, _ in told}
    assert "reading files" in texts
    assert len(texts) == 2
    for text in texts:
        done = [(d, total) for t, d, total in told if t == text]
        assert done[-1][0] == done[-1][1]


def test_the_data_hash_knows_names_and_bytes_only(root, tmp_path):
    before = _prepare(root).data_hash
    copy = tmp_path / "elsewhere" / "set"
    shutil.copytree(root, copy)
    assert _prepare(copy).data_hash == before
    (copy / "images" / "s0.png").rename(copy / "images" / "r0.png")
    (copy / "masks" / "s0.png").rename(copy / "masks" / "r0.png")
    assert _prepare(copy).data_hash != before
