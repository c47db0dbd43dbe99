"""What is done of a job is written down and found again by checksums, whatever a crash or a stranger left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixelwise.errors import DataError
from pixelwise.files import sha256_of
from pixelwise.inference.manifest import NAME, Manifest, Record

JOB = {"model": "abc", "settings": {"tile": 512}}


def _record(folder: Path, number: int) -> Record:
    (folder / f"{number}.png").write_bytes(b"mask %d" % number)
    return Record(
        photo=f"photos/{number}.jpg",
        checksum=f"photo {number}",
        files={"mask": f"{number}.png"},
        checksums={"mask": sha256_of(folder / f"{number}.png")},
        area={"cat": 0.25, "ground": 0.75},
    )


def _begun(folder: Path, count: int = 3) -> list[Record]:
    manifest = Manifest(folder, JOB, resume=False)
    records = [_record(folder, number) for number in range(count)]
    for record in records:
        manifest.add(record)
    manifest.close()
    return records


def test_what_was_done_is_found_again(tmp_path: Path) -> None:
    records = _begun(tmp_path)
    manifest = Manifest(tmp_path, JOB, resume=True)
    for record in records:
        assert manifest.done(record.photo, record.checksum, record.files) == record
    assert manifest.done("photos/9.jpg", "photo 9", {"mask": "9.png"}) is None


def test_what_changed_since_is_done_again(tmp_path: Path) -> None:
    one, two, three = _begun(tmp_path)
    (tmp_path / "1.png").write_bytes(b"mask X")  # of the same length
    (tmp_path / "2.png").unlink()
    manifest = Manifest(tmp_path, JOB, resume=True)
    assert manifest.done(one.photo, "another photo", one.files) is None
    assert manifest.done(one.photo, one.checksum, {**one.files, "overlay": "0.jpg"}) is None
    assert manifest.done(one.photo, one.checksum, {"mask": "elsewhere.png"}) is None
    assert manifest.done(two.photo, two.checksum, two.files) is None
    assert manifest.done(three.photo, three.checksum, three.files) is None


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    (record, *_) = _begun(tmp_path)
    manifest = Manifest(tmp_path, JOB, resume=False)
    assert manifest.done(record.photo, record.checksum, record.files) is None
    assert len((tmp_path / NAME).read_text().splitlines()) == 1


@pytest.mark.parametrize("left", range(1, 200, 23))
def test_a_line_that_a_crash_cut_is_lost_and_no_other(tmp_path: Path, left: int) -> None:
    records = _begun(tmp_path)
    path = tmp_path / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][: min(left, len(lines[-1]) - 2)])
    manifest = Manifest(tmp_path, JOB, resume=True)
    assert [manifest.done(r.photo, r.checksum, r.files) is not None for r in records] == [True, True, False]
    manifest.add(records[-1])
    manifest.close()
    again = Manifest(tmp_path, JOB, resume=True)
    assert all(again.done(r.photo, r.checksum, r.files) for r in records)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "null",
        '"text"',
        "{}",
        '{"photo": 1}',
        "[" * 100_000,
        '{"photo": "p", "sha256": "s", "files": [], "files_sha256": {}, "area": {}}',
        '{"photo": "p", "sha256": "s", "files": {}, "files_sha256": {}, "area": {"cat": "much"}}',
        "\x00\xff",
        "9" * 5000,
    ],
)
def test_a_line_of_something_else_is_no_record(tmp_path: Path, line: str) -> None:
    records = _begun(tmp_path)
    path = tmp_path / NAME
    path.write_text(path.read_text() + line + "\n")
    manifest = Manifest(tmp_path, JOB, resume=True)
    assert all(manifest.done(r.photo, r.checksum, r.files) for r in records)


@pytest.mark.parametrize(
    ("job", "named"),
    [({**JOB, "model": "x"}, "model"), ({"model": "abc"}, "settings"), ({**JOB, "half": True}, "half")],
)
def test_another_job_is_not_gone_on_with(tmp_path: Path, job: dict[str, object], named: str) -> None:
    _begun(tmp_path)
    before = (tmp_path / NAME).read_text()
    with pytest.raises(DataError, match=f"begun with another {named}.*another folder with --out"):
        Manifest(tmp_path, job, resume=True)
    assert (tmp_path / NAME).read_text() == before


@pytest.mark.parametrize("content", ["", "[]\n", '{"job": 3}\n', "text"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(DataError, match="no manifest of pixelwise"):
        Manifest(tmp_path, JOB, resume=True)
    assert (tmp_path / NAME).read_text() == content


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, JOB, resume=False)
    manifest.close()
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    manifest._file = full.open("w")
    with pytest.raises(DataError, match=r"manifest\.jsonl cannot be written.*--resume"):
        manifest.add(_record(tmp_path, 1))


def test_it_is_readable(tmp_path: Path) -> None:
    _begun(tmp_path, 1)
    header, line = map(json.loads, (tmp_path / NAME).read_text().splitlines())
    assert header == {"pixelwise_manifest": 1, "job": JOB}
    assert line["photo"] == "photos/0.jpg"
    assert line["area"] == {"cat": 0.25, "ground": 0.75}
