"""Copies across the split, within a side and with other masks: planted, and in real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photos import Picture, brightened, clouds, cropped, survey_of, write_set
from PIL import Image

from pixelwise.check.asked import Asked
from pixelwise.check.copies import disagreement
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.rules.duplicates import duplicates
from pixelwise.check.rules.sequences import split_films
from pixelwise.check.survey import Survey
from pixelwise.config import DataConfig

SIZE = (96, 128)
WORDS = ("oak", "elm", "ash", "fir", "yew", "box", "bay", "fig", "may", "rue")


def photos() -> dict[str, Picture]:
    return {word: clouds(seed, SIZE) for seed, word in enumerate(WORDS)}


def upper(share: float) -> Picture:
    ids = np.zeros(SIZE, np.uint8)
    ids[: round(share * SIZE[0])] = 1
    return ids


def findings(survey: Survey, root: Path) -> dict[str, Finding]:
    asked = Asked(root=root, given=DataConfig(), config=DataConfig(), out=Path("check"))
    found = duplicates(survey, asked)
    assert len({finding.kind for finding in found}) == len(found)
    return {finding.kind: finding for finding in found}


def names(finding: Finding) -> set[str]:
    return {example.name for example in finding.examples}


def left_out(survey: Survey, finding: Finding) -> set[str]:
    return {survey.dataset.reader.entries.names[index] for index in finding.leave_out}


def test_different_pictures_give_none(tmp_path: Path):
    root = write_set(tmp_path, photos())
    assert findings(survey_of(root, DataConfig(), val={"oak", "elm"}), root) == {}


def test_a_copy_in_training_of_a_validation_picture(tmp_path: Path):
    pictures = photos()
    pictures |= {"copy": pictures["oak"], "copy2": pictures["oak"]}
    root = write_set(tmp_path, pictures)
    survey = survey_of(root, DataConfig(), val={"oak", "elm"})
    found = findings(survey, root)
    leak = found["leakage"]
    assert set(found) == {"leakage", "duplicates"}  # the two copies are twice on one side, too
    assert leak.severity is Severity.ERROR
    assert leak.title == "2 training pictures identical to 1 of 2 for validation"
    assert names(leak) == left_out(survey, leak) == {"copy", "copy2"}
    assert {example.text for example in leak.examples} == {"identical to oak (val)"}
    assert leak.remedy == f"pixelwise train {root} --leave-out {Path('check') / 'leakage.txt'}"
    assert left_out(survey, found["duplicates"]) == {"copy2"}


def test_a_png_saved_again_is_a_copy_and_a_jpeg_is_nearly_one(tmp_path: Path):
    pictures = photos()
    root = write_set(tmp_path, pictures | {"again": pictures["oak"], "jpeg": pictures["elm"]})
    Image.fromarray(pictures["oak"]).save(root / "images" / "again.png", compress_level=0)
    Image.fromarray(pictures["elm"]).save(root / "images" / "jpeg.jpg", quality=40)
    (root / "images" / "jpeg.png").unlink()
    assert (root / "images/again.png").read_bytes() != (root / "images/oak.png").read_bytes()
    survey = survey_of(root, DataConfig(), val={"oak", "elm"})
    found = findings(survey, root)
    assert {kind: names(finding) for kind, finding in found.items()} == {
        "leakage": {"again"},
        "near_leakage": {"jpeg"},
    }


def test_near_duplicates_across_and_within(tmp_path: Path):
    pictures = photos()
    images = {name: Image.fromarray(picture) for name, picture in pictures.items()}
    pictures["small"] = np.asarray(cropped(images["oak"], 0.04))
    pictures["light"] = np.asarray(brightened(images["ash"], 0.7, 1.0))
    pictures["turned"] = np.asarray(images["fir"])[:, ::-1]
    root = write_set(tmp_path, pictures)
    survey = survey_of(root, DataConfig(), val={"oak", "elm", "turned"})
    found = findings(survey, root)
    assert set(found) == {"near_leakage", "near_duplicates"}
    leak, near = found["near_leakage"], found["near_duplicates"]
    assert leak.severity is Severity.WARNING
    assert leak.title == "2 training pictures nearly the same as 2 of 3 for validation"
    assert left_out(survey, leak) == {"small", "fir"}
    texts = {example.name: example.text for example in leak.examples}
    assert texts["small"].endswith("% like oak (val)")
    assert texts["fir"].endswith("% like turned mirrored (val)")
    assert near.severity is Severity.NOTE
    assert names(near) == {"light"}
    assert near.remedy == ""


def test_copies_on_one_side_count_again(tmp_path: Path):
    pictures = photos()
    pictures |= {"z1": pictures["oak"], "z2": pictures["oak"], "z3": pictures["elm"], "z4": pictures["ash"]}
    root = write_set(tmp_path, pictures)
    survey = survey_of(root, DataConfig(), val={"elm", "z3"})
    found = findings(survey, root)
    assert set(found) == {"duplicates"}
    again = found["duplicates"]
    assert again.severity is Severity.WARNING
    assert again.title == "4 pictures there more than once on one side (3 of train and 1 of val)"
    assert left_out(survey, again) == {"z1", "z2", "z3", "z4"}
    assert {example.text for example in again.examples} == {
        "identical to oak (train)",
        "identical to elm (val)",
        "identical to ash (train)",
    }


def test_one_picture_with_two_masks_is_a_contradiction(tmp_path: Path):
    pictures = photos()
    pictures |= {"z1": pictures["oak"], "z2": pictures["oak"]}
    root = write_set(tmp_path, pictures, {"oak": upper(0.5), "z1": upper(0.5), "z2": upper(0.25)})
    survey = survey_of(root, DataConfig(), val={"elm"})
    found = findings(survey, root)
    assert set(found) == {"contradiction", "duplicates"}
    told = found["contradiction"]
    assert told.severity is Severity.ERROR
    assert told.title == "3 pictures identical to another one that has a different mask"
    # Half is sky in one and a quarter in the other; class 0 is the commonest: (48 - 24) / 48 rows.
    assert {example.name: example.text for example in told.examples} == {
        "oak": "the picture of z2; their masks disagree by 50%",
        "z1": "the picture of z2; their masks disagree by 50%",
        "z2": "the picture of oak; their masks disagree by 50%",
    }
    assert left_out(survey, found["duplicates"]) == {"z1"}  # which of the masks is right, nobody knows


def test_masks_that_two_people_drew_are_no_error(tmp_path: Path):
    pictures = photos()
    root = write_set(tmp_path, pictures | {"z1": pictures["oak"]}, {"oak": upper(0.5), "z1": upper(0.52)})
    found = findings(survey_of(root, DataConfig(), val={"elm"}), root)
    assert {kind: finding.severity for kind, finding in found.items()} == {"contradiction": Severity.WARNING}


def test_disagreement_is_of_what_lies_outside_the_commonest_class(tmp_path: Path):
    pictures = photos()
    speck = np.zeros(SIZE, np.uint8)
    speck[:2, :2] = 1
    root = write_set(tmp_path, pictures, {"oak": np.zeros(SIZE, np.uint8), "elm": speck, "ash": speck})
    survey = survey_of(root, DataConfig())
    reader = survey.dataset.reader
    place = list(reader.entries.names).index
    assert disagreement(reader, place("oak"), place("elm")) == 1.0
    assert disagreement(reader, place("elm"), place("ash")) == 0.0
    (root / "masks" / "ash.png").unlink()
    assert disagreement(reader, place("elm"), place("ash")) == 1.0


def test_masks_of_other_sizes_contradict_nothing(tmp_path: Path):
    flat = {"a": np.zeros((40, 40, 3), np.uint8), "b": np.zeros((80, 80, 3), np.uint8)}
    root = write_set(tmp_path, photos() | flat)
    found = findings(survey_of(root, DataConfig(), val={"elm"}), root)
    assert "contradiction" not in found


def test_flat_pictures_are_no_near_duplicates(tmp_path: Path):
    flat = {f"flat{word}": np.full((*SIZE, 3), 10 * i, np.uint8) for i, word in enumerate(WORDS)}
    root = write_set(tmp_path, photos() | flat)
    assert findings(survey_of(root, DataConfig(), val={"elm", "flatoak"}), root) == {}


def test_a_broken_sample_is_passed_over(tmp_path: Path):
    pictures = photos()
    root = write_set(tmp_path, pictures | {"copy": pictures["yew"]})
    (root / "images" / "ash.png").write_bytes(b"no picture")
    survey = survey_of(root, DataConfig(), val={"yew"})
    assert not survey.sound.all()
    assert names(findings(survey, root)["leakage"]) == {"copy"}


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("camvid", DataConfig(), {"near_frames": 134}),
        (
            "cats",
            DataConfig(val_last=195),
            {"contradiction": 8, "leakage": 1, "near_leakage": 7, "near_duplicates": 11},
        ),
        ("people", DataConfig(map=("255=1",)), {"near_leakage": 1, "near_duplicates": 4}),
    ],
)
def test_real_pictures(real_data: Path, name: str, config: DataConfig, expected: dict[str, int]):
    # The pairs of people and the likest of the cats were looked at: each is one photo twice, or two of one
    # moment.
    survey = survey_of(real_data / name, config)
    found = findings(survey, real_data / name)
    assert {kind: finding.count for kind, finding in found.items()} == expected
    if name == "camvid":
        assert all(finding.severity is Severity.NOTE for finding in found.values())
    asked = Asked(root=real_data / name, given=config, config=config, out=Path("check"))
    assert split_films(survey, asked) == []
