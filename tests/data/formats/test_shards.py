"""Format `shards`: the same samples in the same order as the folder they came from, read in place."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.loader import BatchLoader, epoch_order
from pixelwise.data.shards.index import INDEX_FILE, Row, end_line, head_line, shard_line
from pixelwise.data.shards.table import Member, Shard
from pixelwise.data.writers import convert
from pixelwise.data.writers.shards import write_shards
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

SIZE = (20, 28)


@pytest.fixture
def folder(save, rng, tmp_path: Path) -> Path:
    """Nine noisy pictures, so that no two are alike, in two splits that alternate by name."""
    for number in range(9):
        picture = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        mask = rng.integers(0, 3, SIZE, dtype=np.uint8)
        mask[0, number] = 255
        side = "val" if number % 3 == 2 else "train"
        save(f"set/{side}/images/p {number}.v1.jpg", picture, quality=90)
        save(f"set/{side}/masks/p {number}.v1.png", mask)
    (tmp_path / "set" / "classes.txt").write_text("sky 1 2 3\nroad 4 5 6\ncar 7 8 9\n")
    return tmp_path / "set"


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    convert(open_dataset(folder), tmp_path / "shards", "shards")
    return tmp_path / "shards"


def pack(path: Path, members: dict[str, bytes]) -> Path:
    """A tar as others write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def png(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, "PNG")
    return target.getvalue()


PICTURE = png(np.full((4, 6, 3), 90, np.uint8))
MASK = png(np.array([[0, 1, 2, 0, 0, 0]] * 4, np.uint8))


def test_everything_comes_back_under_its_name(folder: Path, shards: Path) -> None:
    before, after = open_dataset(folder), open_dataset(shards)
    assert after.reader.format == "shards"
    assert after.classes == before.classes
    assert list(after.reader.entries.names) == list(before.reader.entries.names)
    assert after.reader.splits == before.reader.splits
    assert (after.split.train, after.split.val) == (before.split.train, before.split.val)
    for index, entry in enumerate(before.reader.entries):
        one, other = before.reader[index], after.reader[index]
        assert one.name == other.name
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)
        stored = after.reader.stored(index)
        assert stored is not None
        assert stored.content == entry.image.read_bytes()  # the picture byte by byte


def test_a_tar_is_what_every_other_tool_reads(shards: Path) -> None:
    """Each split has tars of its own; a key has no dot, and its two members stand beside each other."""
    assert sorted(path.name for path in shards.iterdir()) == [
        "index.jsonl",
        "train-00000.tar",
        "val-00000.tar",
    ]
    with tarfile.open(shards / "val-00000.tar") as tar:
        names = tar.getnames()
        mask = tar.extractfile(names[1])
        assert mask is not None
        assert Image.open(mask).mode == "P"
    assert names == [f"val/p_{number}_v1{ending}" for number in (2, 5, 8) for ending in (".jpg", ".mask.png")]


def test_batches_are_those_of_the_folder(folder: Path, shards: Path, tmp_path: Path) -> None:
    config = DataConfig(cache_dir=tmp_path / "cache", workers=3)
    sides = [prepare(open_dataset(path), (8, 8), config).train for path in (folder, shards)]
    order = epoch_order(len(sides[0].indices), seed=1, epoch=4)
    one, other = (list(BatchLoader(side, order, batch_size=4, workers=3)) for side in sides)
    for left, right in zip(one, other, strict=True):
        assert left.indices.tolist() == right.indices.tolist()
        assert np.array_equal(left.images, right.images)
        assert np.array_equal(left.masks, right.masks)


def test_ranks_share_an_epoch_without_overlap(shards: Path) -> None:
    reader = open_dataset(shards).reader
    order = epoch_order(len(reader), seed=0, epoch=0).tolist()
    seen = [{reader[index].image.tobytes() for index in order[rank::2]} for rank in (0, 1)]
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == {reader[index].image.tobytes() for index in range(9)}


def test_small_shards(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar ends before the sample that would make it too large; one that is larger alone is written."""
    (tmp_path / "small").mkdir()
    count, notes = write_shards(open_dataset(folder), tmp_path / "small", limit=1 << 13, progress=None)
    assert (count, notes) == (9, ())
    tars = sorted(tmp_path.glob("small/*.tar"))
    assert len(tars) > 4
    assert all(path.stat().st_size <= 1 << 13 for path in tars)
    after = open_dataset(tmp_path / "small").reader
    assert list(after.entries.names) == list(open_dataset(folder).reader.entries.names)
    with pytest.raises(ConfigError, match="--shard-size is in MiB"):
        convert(open_dataset(folder), tmp_path / "no", "shards", shard_mib=0)


def test_the_same_set_gives_the_same_bytes(folder: Path, shards: Path, tmp_path: Path) -> None:
    convert(open_dataset(folder), tmp_path / "again", "shards")
    for path in shards.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_the_way_back(folder: Path, shards: Path, tmp_path: Path) -> None:
    """From shards into a folder: the pictures' bytes are still those of the first day."""
    convert(open_dataset(shards), tmp_path / "back", "folder")
    first = sorted(path.read_bytes() for path in folder.glob("*/images/*"))
    assert sorted(path.read_bytes() for path in tmp_path.glob("back/*/images/*")) == first


def test_splits_of_any_kind_stay(folder: Path, tmp_path: Path) -> None:
    """A union of two, and samples that are in none."""
    dataset = open_dataset(folder)
    splits = {"trainval": (0, 1, 2, 7), "train": (0, 1), "val": (2,)}
    reader = dataclasses.replace(dataset.reader, splits=splits)
    convert(dataclasses.replace(dataset, reader=reader), tmp_path / "out", "shards")
    assert open_dataset(tmp_path / "out").reader.splits == splits
    assert sorted(path.name for path in tmp_path.glob("out/*.tar")) == [
        "data-00000.tar",
        "train-00000.tar",
        "trainval-00000.tar",
        "val-00000.tar",
    ]


def test_leaving_out_and_merging_work_as_everywhere(shards: Path, tmp_path: Path) -> None:
    whole = open_dataset(shards).reader
    (tmp_path / "out.txt").write_text(f"{whole.entries.names[0]}\n{whole.entries.names[4]}\n")
    config = DataConfig(leave_out=(tmp_path / "out.txt",), merge=("road,car=thing",))
    reader = open_dataset(shards, config).reader
    kept = [index for index in range(9) if index not in (0, 4)]
    for new, old in enumerate(kept):
        assert np.array_equal(reader[new].image, whole[old].image)
        before = whole[old].mask
        assert np.array_equal(reader[new].mask == 1, (before == 1) | (before == 2))


def test_opening_reads_no_shard_and_keys_the_cache_by_the_index(shards: Path, tmp_path: Path) -> None:
    """What the index vouches for is not read again: the digests are its own."""
    reader = open_dataset(shards).reader
    lines = [json.loads(line) for line in (shards / "index.jsonl").read_text().splitlines()]
    assert dict(reader.known) == {shards / line["shard"]: line["sha256"] for line in lines[1:-1]}
    for path, digest in reader.known.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_a_mask_of_another_size_is_fitted_or_named(tmp_path: Path) -> None:
    small = png(np.array([[0, 1, 2], [0, 0, 0]], np.uint8))
    pack(tmp_path / "set" / "x.tar", {"a.png": PICTURE, "a.mask.png": small})
    reader = open_dataset(tmp_path / "set").reader
    with pytest.raises(
        DataError, match=r"x.tar/a.png is 6x4 but its mask .*x.tar/a.mask.png is 3x2.*fit-masks"
    ):
        reader[0]
    mask = open_dataset(tmp_path / "set", DataConfig(fit_masks=True)).reader[0].mask
    assert mask.tolist() == [[0, 0, 1, 1, 2, 2]] * 2 + [[0] * 6] * 2


class TestOthersShards:
    """Without an index: the headers say what is there."""

    def test_the_usual_names(self, tmp_path: Path) -> None:
        """jpg + seg.png, jpg + png, other members between them, splits by the tars' names."""
        jpeg = io.BytesIO()
        Image.fromarray(np.full((4, 6, 3), 50, np.uint8)).save(jpeg, "JPEG")
        first = {"0.cls": b"3", "0.jpg": jpeg.getvalue(), "0.png": MASK, "0.json": b"{}"}
        pack(tmp_path / "s" / "train-000.tar", first)
        pack(tmp_path / "s" / "val-000.tar", {"./b/1.seg.png": MASK, "./b/1.jpg": jpeg.getvalue()})
        dataset = open_dataset(tmp_path / "s", DataConfig(classes=("a", "b", "c")))
        assert list(dataset.reader.entries.names) == ["0", "b/1"]
        assert dataset.reader.splits == {"train": (0,), "val": (1,)}
        assert dataset.reader[1].mask[0].tolist() == [0, 1, 2, 0, 0, 0]
        assert any("2 members are neither" in note for note in dataset.notes)

    def test_classes_come_from_the_masks_or_a_list(self, tmp_path: Path) -> None:
        pack(tmp_path / "s" / "x.tar", {"a.png": PICTURE, "a.mask.png": MASK})
        assert open_dataset(tmp_path / "s").classes.names == ("class_0", "class_1", "class_2")
        (tmp_path / "s" / "classes.txt").write_text("sky\nroad\ncar\n")
        assert open_dataset(tmp_path / "s").classes.names == ("sky", "road", "car")

    def test_one_name_in_two_tars(self, tmp_path: Path) -> None:
        for shard in ("a", "b"):
            pack(tmp_path / "s" / f"{shard}.tar", {"0.png": PICTURE, "0.mask.png": MASK})
        assert list(open_dataset(tmp_path / "s").reader.entries.names) == ["a/0", "b/0"]

    def test_an_unknown_value_names_shard_and_member(self, tmp_path: Path) -> None:
        pack(tmp_path / "s" / "x.tar", {"a.png": PICTURE, "a.mask.png": MASK})
        (tmp_path / "s" / "classes.txt").write_text("sky\nroad\n")
        with pytest.raises(DataError, match=r"x\.tar/a\.mask\.png"):
            open_dataset(tmp_path / "s").reader[0]

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({"../a.png": PICTURE}, "leads out of the archive"),
            ({"/etc/a.png": PICTURE}, "leads out of the archive"),
            ({"a.png": PICTURE}, "a.png has no other half"),
            ({"a.png": PICTURE, "a.gif": PICTURE}, "one must be the picture and one the mask"),
            ({"a.png": PICTURE, "./a.png": PICTURE}, "two members 'a.png'"),
            ({"a.cls": b"1"}, "no sample in the 1 shards"),
        ],
    )
    def test_what_cannot_be(self, members: dict[str, bytes], said: str, tmp_path: Path) -> None:
        pack(tmp_path / "s" / "x.tar", members)
        with pytest.raises(DataError, match=said):
            open_dataset(tmp_path / "s")

    def test_lonely_members_can_be_left_out(self, tmp_path: Path) -> None:
        pack(tmp_path / "s" / "x.tar", {"b.png": PICTURE, "a.png": PICTURE, "a.mask.png": MASK})
        reader = open_dataset(tmp_path / "s", DataConfig(skip_unpaired=True)).reader
        assert list(reader.entries.names) == ["a"]
        assert len(reader.unpaired) == 1


class TestDamage:
    def line(self, shards: Path, change: Callable[[list], None]) -> None:
        """Changes the second line's samples, as a list."""
        lines = (shards / "index.jsonl").read_text().splitlines()
        document = json.loads(lines[1])
        change(document["samples"])
        lines[1] = json.dumps(document)
        (shards / "index.jsonl").write_text("\n".join(lines) + "\n")

    def test_a_shard_is_missing(self, shards: Path) -> None:
        (shards / "val-00000.tar").unlink()
        with pytest.raises(DataError, match=r"val-00000\.tar: this shard is missing"):
            open_dataset(shards)

    def test_a_shard_is_truncated(self, shards: Path) -> None:
        path = shards / "val-00000.tar"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(DataError, match=r"val-00000\.tar: the index says .* truncated"):
            open_dataset(shards)

    def test_a_shard_ends_while_it_is_read(self, shards: Path) -> None:
        reader = open_dataset(shards).reader
        path = shards / "train-00000.tar"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(DataError, match=r"train-00000\.tar/train/p_0_v1.*the shard ends before"):
            reader[0]

    def test_bytes_are_others(self, shards: Path) -> None:
        path = shards / "train-00000.tar"
        content = bytearray(path.read_bytes())
        content[512 + 300] ^= 1
        path.write_bytes(content)
        reader = open_dataset(shards).reader
        with pytest.raises(DataError, match=r"train-00000\.tar/train/p_0_v1\.jpg: its bytes are not those"):
            reader[0]
        assert reader[1].image.shape == (*SIZE, 3)

    def test_a_lie_about_a_place(self, shards: Path) -> None:
        self.line(shards, lambda samples: samples[0][3].__setitem__(1, samples[1][3][1]))
        with pytest.raises(DataError, match=r"p_0_v1\.jpg: at byte .* there is '.*p_1_v1\.jpg' in its place"):
            open_dataset(shards).reader[0]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda s: s[0][3].__setitem__(1, 1 << 40), r"p_0_v1\.jpg should be the .* train-00000\.tar has"),
            (lambda s: s[0][3].__setitem__(1, 0), "should be the"),
            (lambda s: s[0][3].__setitem__(2, -1), "should be the"),
            (lambda s: s[0][3].__setitem__(0, ""), "expected a member's name"),
            (lambda s: s[0][3].__setitem__(1, True), "expected a member's name"),
            (lambda s: s[0].__setitem__(0, 1 << 61), "cannot be"),
            (lambda s: s[0].__setitem__(0, s[1][0]), "one place in the order"),
            (lambda s: s[0].__setitem__(1, s[1][1]), "two samples are called"),
            (lambda s: s[0].__setitem__(2, [9]), "a split that the index does not have"),
            (lambda s: s[0].pop(), "expected place, name"),
            (lambda s: s.pop(), "should end with"),
        ],
    )
    def test_an_index_that_cannot_be(self, shards: Path, change: Callable[[list], None], said: str) -> None:
        self.line(shards, change)
        with pytest.raises(DataError, match=said):
            open_dataset(shards)

    @pytest.mark.parametrize("lines", [1, 2, 3])
    def test_a_truncated_index(self, shards: Path, lines: int) -> None:
        path = shards / "index.jsonl"
        path.write_text("\n".join(path.read_text().splitlines()[:lines]))
        with pytest.raises(DataError, match="ends before its last line"):
            open_dataset(shards)

    @pytest.mark.parametrize(
        "head",
        [
            '{"pixelwise_shards": 2}',
            '{"pixelwise_shards": 1, "classes": [1], "colours": [], "splits": []}',
            '{"pixelwise_shards": 1, "classes": ["a"], "colours": [[1, 2]], "splits": []}',
            '{"pixelwise_shards": 1, "classes": [], "colours": [], "splits": []}',
        ],
    )
    def test_a_head_that_cannot_be(self, shards: Path, head: str) -> None:
        path = shards / "index.jsonl"
        path.write_text("\n".join([head, *path.read_text().splitlines()[1:]]))
        with pytest.raises(DataError, match="line 1"):
            open_dataset(shards)

    def test_broken_samples_are_skipped_when_asked(self, shards: Path, tmp_path: Path) -> None:
        path = shards / "train-00000.tar"
        content = bytearray(path.read_bytes())
        content[512 + 300] ^= 1
        path.write_bytes(content)
        config = DataConfig(cache_dir=tmp_path / "cache", skip_broken=True)
        prepared = prepare(open_dataset(shards, config), (8, 8), config)
        assert len(prepared.skipped) == 1
        assert len(prepared.train.indices) == 5


_PEAK = """
import resource, sys
from pixelwise.data import open_dataset
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reader = open_dataset(sys.argv[1]).reader
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(reader), (after - before) * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of a process is asked for as POSIX has it")
def test_a_hundred_thousand_samples_take_little(tmp_path: Path) -> None:
    """Opening holds a few hundred bytes a sample, and no shard's bytes."""
    shards, each = 50, 2000
    with (tmp_path / INDEX_FILE).open("wb") as index:
        index.write(head_line(Classes(("a", "b")), ["train", "val"]))
        for number in range(shards):
            name = f"train-{number:05d}.tar"
            with (tmp_path / name).open("wb") as file:
                file.truncate(1 << 30)  # a hole in the disk
            rows = [
                Row(
                    (place := number * each + row),
                    f"picture_{place:08d}",
                    (place % 2,),
                    Member(f"picture_{place:08d}.jpg", 512 + 100 * row, 90, 1),
                    Member(f"picture_{place:08d}.mask.png", 512 + 100 * row, 90, 2),
                )
                for row in range(each)
            ]
            index.write(shard_line(Shard(name, 1 << 30, "0" * 64), rows))
        index.write(end_line(shards * each, shards))
    said = subprocess.run(
        [sys.executable, "-c", _PEAK, str(tmp_path)], check=True, capture_output=True, text=True
    )
    count, grown = map(int, said.stdout.split())
    assert count == 100_000
    assert grown < 64 << 20
