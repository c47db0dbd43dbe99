"""Many photos to files: in order; a bad one is told and the rest go on; what is done is not done again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.config import PredictConfig
from pixelwise.data import open_dataset
from pixelwise.errors import DataError
from pixelwise.inference import Predictor
from pixelwise.inference.coco import write_coco
from pixelwise.inference.job import Job
from pixelwise.inference.manifest import Manifest
from pixelwise.inference.outputs import Outcome, Outputs
from pixelwise.inference.photos import find_photos
from pixelwise.types import Classes, SizePolicy

CLASSES = Classes(("background", "cat", "dog"), ((20, 20, 20), (230, 30, 30), (30, 30, 230)))
JOB = {"model": "a"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of coloured boxes, each of its own size."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        picture = np.full((40 + number, 60, 3), CLASSES.colours[0], np.uint8)
        picture[5:20, 5 + number : 25] = CLASSES.colours[1]
        picture[25:35, 30:50] = CLASSES.colours[2]
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def _predictor(*, at_once: int = 1, config: PredictConfig | None = None) -> Predictor:
    policy = SizePolicy("native", (32, 32))
    return Predictor(
        FakeBackend(CLASSES.colours), CLASSES, policy, config=config, batch_size=2, at_once=at_once
    )


def _run(
    photos: Path,
    out: Path,
    *,
    resume: bool = False,
    predictor: Predictor | None = None,
    workers: int = 2,
    **kinds,
) -> tuple[list[Outcome], list[str]]:
    out.mkdir(exist_ok=True)
    notes: list[str] = []
    manifest = Manifest(out, JOB, resume=resume)
    job = Job(
        predictor or _predictor(),
        Outputs(folder=out, **kinds),
        manifest,
        resume=resume,
        workers=workers,
        on_note=notes.append,
    )
    try:
        return list(job.run(find_photos([str(photos)]))), notes
    finally:
        manifest.close()


def _contents(out: Path) -> dict[str, bytes]:
    """All results but the manifest."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "manifest.jsonl")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def test_every_result_of_every_photo_in_order(photos: Path, tmp_path: Path) -> None:
    outcomes, notes = _run(
        photos, tmp_path / "out", overlays=True, probabilities=True, labelme=True, cutout="cat"
    )
    assert [outcome.photo.name for outcome in outcomes] == list("012345")
    assert all(outcome.error is None and not outcome.skipped for outcome in outcomes)
    expected = {
        f"{folder}/{n}{ending}"
        for n in range(6)
        for folder, ending in [
            ("masks", ".png"),
            ("overlays", ".jpg"),
            ("probabilities", ".npz"),
            ("labelme", ".json"),
            ("labelme", ".png"),
            ("cutouts", ".png"),
        ]
    }
    assert set(_contents(tmp_path / "out")) == expected | {"labelme/labels.txt"}
    mask = np.asarray(Image.open(tmp_path / "out" / "masks" / "2.png"))
    assert mask.shape == (42, 60)
    assert (mask[5:20, 7:25] == 1).all()
    assert outcomes[2].area["cat"] == pytest.approx(15 * 18 / (42 * 60))
    cut = np.asarray(Image.open(tmp_path / "out" / "cutouts" / "2.png"))
    assert cut.shape == (42, 60, 4)
    assert cut[10, 15].tolist() == [230, 30, 30, 255]
    assert cut[40, 5, 3] == 0
    assert notes == ["native, because the model was trained on photos as they are (0: 60x40)"]


def test_labelme_files_can_be_trained_on(photos: Path, tmp_path: Path) -> None:
    _run(photos, tmp_path / "out", labelme=True)
    dataset = open_dataset(tmp_path / "out" / "labelme")
    assert dataset.reader.classes.names == CLASSES.names
    masks = tmp_path / "out" / "masks"
    for index in range(len(dataset.reader)):
        sample = dataset.reader[index]
        assert np.array_equal(sample.mask, np.asarray(Image.open(masks / f"{sample.name}.png")))


def test_a_class_that_does_not_occur_is_cut_out_as_nothing(photos: Path, tmp_path: Path) -> None:
    picture = np.full((10, 10, 3), CLASSES.colours[0], np.uint8)
    Image.fromarray(picture).save(photos / "0.png")
    outcomes, _ = _run(photos, tmp_path / "out", cutout="dog")
    assert all(outcome.error is None for outcome in outcomes)
    assert not np.asarray(Image.open(tmp_path / "out" / "cutouts" / "0.png")).any()


def test_one_coco_json_for_all(photos: Path, tmp_path: Path) -> None:
    outcomes, _ = _run(photos, tmp_path / "out")
    target = tmp_path / "coco"
    shutil.copytree(photos, target / "images")
    (target / "annotations").mkdir()
    write_coco(target / "annotations" / "instances_default.json", outcomes, CLASSES)
    reader = open_dataset(target).reader
    assert len(reader) == 6
    for index in range(6):
        sample = reader[index]
        expected = np.asarray(Image.open(tmp_path / "out" / "masks" / f"{sample.name}.png"))
        assert np.array_equal(sample.mask, expected)


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (3, 2), (8, 4)])
def test_the_same_files_with_any_number_of_workers(
    photos: Path, tmp_path: Path, workers: int, at_once: int
) -> None:
    _run(photos, tmp_path / "one", workers=1, overlays=True, labelme=True)
    predictor = _predictor(at_once=at_once)
    _run(photos, tmp_path / "many", workers=workers, predictor=predictor, overlays=True, labelme=True)
    assert _contents(tmp_path / "many") == _contents(tmp_path / "one")
    lines = [(tmp_path / name / "manifest.jsonl").read_text() for name in ("one", "many")]
    assert lines[0] == lines[1]


def test_bad_photos_are_told_in_their_place_and_the_rest_go_on(photos: Path, tmp_path: Path) -> None:
    (photos / "0.png").write_bytes(b"no picture")
    (photos / "3.png").write_bytes((photos / "3.png").read_bytes()[:60])
    Image.new("RGB", (4, 4)).save(photos / "5.png", format="PPM")
    (photos / "5.png").write_bytes(b"P6 0 0 255\n")
    outcomes, _ = _run(photos, tmp_path / "out")
    assert [outcome.error is not None for outcome in outcomes] == [True, False, False, True, False, True]
    assert all(name in str(outcomes[int(name)].error) for name in "035")
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3


def test_what_is_done_is_skipped_and_what_changed_is_done_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(photos, out)
    (out / "masks" / "1.png").unlink()
    (out / "overlays" / "2.jpg").write_bytes(b"damaged")
    picture = np.full((9, 9, 3), CLASSES.colours[2], np.uint8)
    Image.fromarray(picture).save(photos / "4.png")
    before = _contents(out)
    predictor = _predictor()
    outcomes, _ = _run(photos, out, resume=True, predictor=predictor)
    assert [outcome.skipped for outcome in outcomes] == [True, False, False, True, False, True]
    assert sum(predictor.backend.batch_sizes) == 3  # pyright: ignore[reportAttributeAccessIssue]
    assert outcomes[0].area["dog"] == pytest.approx(200 / 2400)  # told again, though nothing was computed
    after = _contents(out)
    assert np.asarray(Image.open(out / "masks" / "4.png")).shape == (9, 9)
    fresh = tmp_path / "fresh"
    _run(photos, fresh)
    assert after == _contents(fresh)
    assert after != before
    again, _ = _run(photos, out, resume=True)
    assert all(outcome.skipped for outcome in again)


def test_a_full_disk_stops_the_job_and_leaves_what_was_done(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, saves = tmp_path / "out", []
    save = Image.Image.save

    def full(self: Image.Image, target, *arguments, **more) -> None:
        saves.append(target)
        if len(saves) > 3:
            Path(target).write_bytes(b"half a fi")
            raise OSError(28, "No space left on device")
        save(self, target, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full)
        with pytest.raises(DataError, match=r"cannot be written.*No space left"):
            _run(photos, out, overlays=False, workers=1)
    assert sorted(_contents(out)) == ["masks/0.png", "masks/1.png", "masks/2.png"]
    outcomes, _ = _run(photos, out, overlays=False, resume=True)
    assert [outcome.skipped for outcome in outcomes] == [True, True, True, False, False, False]


def test_how_pictures_are_sized_is_told_once_and_seams_are_measured(photos: Path, tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 150, 3), CLASSES.colours[1], np.uint8)).save(photos / "6.png")
    predictor = _predictor(config=PredictConfig(sizing="tile", tile=64))
    _, notes = _run(photos, tmp_path / "out", predictor=predictor)
    assert notes == [
        "tile, because that was asked for (0: 60x40)",
        "0: seam error 0.000%: pixels whose class differs from the untiled answer, over the whole picture",
    ]


def test_a_photo_without_room_for_its_probabilities_is_told_and_the_rest_go_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.inference.enlarge.MOST_BYTES", 4 * 3 * 42 * 60)
    outcomes, _ = _run(photos, tmp_path / "out", cutout="cat")
    assert [outcome.error is None for outcome in outcomes] == [True, True, True, False, False, False]
    assert "3.png: the probabilities of 3 classes at 60x43" in str(outcomes[3].error)
    assert "go without --probabilities and --cutout" in str(outcomes[3].error)


def test_labelme_files_of_sub_folders_keep_the_order_of_the_classes(tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    picture = np.full((30, 40, 3), CLASSES.colours[2], np.uint8)
    Image.fromarray(picture).save(tmp_path / "photos" / "sub" / "a.png")
    _run(tmp_path / "photos", tmp_path / "out", labelme=True)
    reader = open_dataset(tmp_path / "out" / "labelme").reader
    assert reader.classes.names == CLASSES.names
    assert (reader[0].mask == 2).all()


def test_a_picture_by_rows_among_others(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rasterio")
    for module in ("data.raster.giant", "inference.streamed"):
        monkeypatch.setattr(f"pixelwise.{module}.MAX_PIXELS", 44 * 60 - 1)
    outcomes, notes = _run(photos, tmp_path / "out", labelme=True)
    assert [outcome.photo.name for outcome in outcomes] == list("012345")
    assert all(outcome.error is None for outcome in outcomes)
    assert "labelme" in outcomes[3].files
    assert "labelme" not in outcomes[4].files  # 44 rows
    assert "4: it is read by rows, so its mask and an overview are written alone" in notes
    assert "4: tile, because it has more pixels than can be held" in notes
    monkeypatch.undo()
    expected = tmp_path / "expected"
    _run(photos, expected)
    for number in range(6):
        name = f"masks/{number}.png"
        ours, theirs = (np.asarray(Image.open(folder / name)) for folder in (tmp_path / "out", expected))
        assert np.array_equal(ours, theirs)


def test_masks_too_large_to_be_held_are_left_out_of_the_coco_json(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, _ = _run(photos, tmp_path / "out")
    monkeypatch.setattr("pixelwise.inference.coco.is_giant", lambda path: path.name == "4.png")
    assert write_coco(tmp_path / "coco.json", outcomes, CLASSES) == ["4"]
    assert len(json.loads((tmp_path / "coco.json").read_text())["images"]) == 5


def test_the_record_says_what_was_written(photos: Path, tmp_path: Path) -> None:
    _run(photos, tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert lines[0]["job"] == JOB
    assert [line["files"]["mask"] for line in lines[1:]] == [f"masks/{n}.png" for n in range(6)]
