"""Films: which pictures are frames of one, and whether a split dealt them out."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from photos import Picture, clouds, survey_of, thumbnails_of, write_set

from pixelwise.check.asked import Asked
from pixelwise.check.finding import Finding, Severity
from pixelwise.check.frames import FEWEST, Film, find_films
from pixelwise.check.likeness import measure_likeness
from pixelwise.check.resemblance import Thumbnails
from pixelwise.check.rules.duplicates import duplicates
from pixelwise.check.rules.sequences import mix, split_films
from pixelwise.check.survey import NEITHER, TRAIN, VAL, Survey
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset

SIZE = (96, 128)


def pan(seed: int, frames: int, *, step: int = 2) -> list[Picture]:
    """Frames of a camera that is panned over a wide view."""
    view = clouds(seed, (SIZE[0], SIZE[1] + step * frames))
    return [np.ascontiguousarray(view[:, step * n : step * n + SIZE[1]]) for n in range(frames)]


def thumbnails(pictures: list[Picture]) -> Thumbnails:
    return thumbnails_of([measure_likeness(picture) for picture in pictures])


def films(names: list[str], frames: Thumbnails, *, broken: int | None = None) -> list[Film]:
    usable = np.arange(len(names)) != (-1 if broken is None else broken)
    return find_films(names, frames, usable)


def film(name: str, seed: int, frames: int) -> dict[str, Picture]:
    return {name.format(10 * n): picture for n, picture in enumerate(pan(seed, frames))}


def found(survey: Survey, root: Path, config: DataConfig | None = None) -> list[Finding]:
    return split_films(
        survey,
        Asked(root=root, given=config or DataConfig(), config=config or DataConfig(), out=Path("check")),
    )


def test_a_pan_is_a_film_and_numbered_photos_are_none():
    frames = thumbnails(pan(0, 40))
    unrelated = thumbnails([clouds(seed, SIZE) for seed in range(40)])
    names = [f"frame_{n:04d}" for n in range(40)]
    (one,) = films(names, frames)
    assert (one.name, one.frames.tolist()) == ("frame_#", list(range(40)))
    assert one.follows.tolist() == [True] * 39
    assert films(names, unrelated) == []
    assert films([f"n{n}x" for n in range(40)], frames)[0].name == "n#x"
    assert films(["abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"[n] for n in range(40)], frames) == []


def test_frames_stand_in_the_order_of_their_numbers():
    frames = thumbnails(pan(0, 12))
    names = [f"f{n}" for n in range(12)]  # f10 and f11 stand behind f1 when sorted by name
    order = sorted(range(12), key=lambda n: names[n])
    (one,) = films([names[n] for n in order], frames[order])
    assert [names[order[index]] for index in one.frames] == names


def test_a_film_in_two_folders_is_one_unless_each_counts_for_itself():
    frames = thumbnails(pan(0, 24))
    sides = ["train" if n < 16 else "val" for n in range(24)]
    (one,) = films([f"{sides[n]}/f_{n}" for n in range(24)], frames)
    assert len(one.frames) == 24
    again = films([f"{sides[n]}/f_{n % 16}" for n in range(24)], frames)
    assert [(item.name, len(item.frames)) for item in again] == [("train/f_#", 16), ("val/f_#", 8)]
    assert films([f"a{n // 16}/f_{n}" for n in range(24)], frames)[0].name == "a0/f_#"


def test_a_large_gap_parts_frames_and_too_few_are_no_film():
    frames = thumbnails(pan(0, 24))
    numbers = [10 * n + (1000 if n >= 12 else 0) for n in range(24)]
    (one,) = films([f"f_{number:05d}" for number in numbers], frames)
    assert one.follows.tolist() == [True] * 11 + [False] + [True] * 11
    few = FEWEST - 1
    assert films([f"f_{n}" for n in range(few)], frames[:few]) == []
    (one,) = films([f"f_{n}" for n in range(24)], frames, broken=3)
    assert 3 not in one.frames


def test_mixing_is_counted():
    #          0      1    2      3        4    5      6      7
    sides = np.array([TRAIN, VAL, TRAIN, NEITHER, VAL, VAL, TRAIN, VAL], np.int8)
    follows = np.array([True, True, True, True, True, True, False])
    mixed = mix([Film("f", np.arange(8), follows)], sides)
    # 0|1, 1|2, 2|4 over the one on neither side, 5|6; 7 lies behind a gap.
    assert mixed.cuts == 4
    assert mixed.beside == {1: 2, 4: 2, 5: 6}
    assert (mixed.validated, mixed.share) == (4, 0.75)
    assert mixed.interleaved
    assert not mix([], sides).interleaved


@pytest.mark.parametrize(("first", "last"), [(0, 12), (20, 32), (48, 60)])
def test_a_block_of_a_film_may_validate(tmp_path: Path, first: int, last: int):
    root = write_set(tmp_path, film("f_{:04d}", 0, 60))
    block = {f"f_{10 * n:04d}" for n in range(first, last)}
    assert found(survey_of(root, DataConfig(), val=block), root) == []


def test_a_film_that_was_dealt_out(tmp_path: Path):
    root = write_set(tmp_path, film("f_{:04d}", 0, 60))
    survey = survey_of(root, DataConfig())
    (finding,) = found(survey, root)
    assert (finding.kind, finding.severity) == ("sequence_split", Severity.WARNING)
    assert finding.title.endswith("of 12 validation frames of films lie next to a training frame")
    assert finding.count >= 9
    name, text = finding.examples[0].name, finding.examples[0].text
    assert text.startswith("next to f_")
    assert abs(int(name[2:]) - int(text.split()[2][2:])) == 10
    # A single film is no two groups, so its end validates.
    assert finding.remedy == f"pixelwise train {root} --val-last 12"
    assert found(survey_of(root, DataConfig(val_last=12)), root) == []


def test_several_films_are_kept_whole(tmp_path: Path):
    pictures = {}
    for number in range(6):
        pictures |= film(f"street{'abcdef'[number]}/" + "{:04d}", number, 12)
    root = write_set(tmp_path, pictures)
    (finding,) = found(survey_of(root, DataConfig()), root)
    assert finding.remedy == f"pixelwise train {root} --val-share 0.194 --val-groups"
    assert "streeta/#" in finding.text
    words = shlex.split(finding.remedy)
    config = DataConfig(val_share=float(words[4]), val_groups=words[5] == "--val-groups")
    mended = survey_of(root, config)
    assert found(mended, root, config) == []
    assert len(open_dataset(root, config).split.val) == 12
    near = duplicates(mended, Asked(root=root, given=config, config=config, out=Path("check")))
    assert {item.severity for item in near} <= {Severity.NOTE}


def test_the_lists_of_the_data_set_come_first(tmp_path: Path):
    root = write_set(tmp_path / "train", film("f_{:04d}", 0, 40))
    write_set(tmp_path / "val", {f"f_{9000 + n}": p for n, p in enumerate(pan(7, 10))})
    assert found(survey_of(tmp_path, DataConfig()), tmp_path) == []
    config = DataConfig(val_share=0.2)
    (finding,) = found(survey_of(tmp_path, config), tmp_path, config)
    assert finding.remedy == f"pixelwise train {tmp_path}"
    assert root.is_dir()


def test_unrelated_photos_with_numbers_may_be_dealt_out(tmp_path: Path):
    root = write_set(tmp_path, {f"IMG_{1000 + n}": clouds(n, SIZE) for n in range(30)})
    assert found(survey_of(root, DataConfig()), root) == []


def test_a_drawn_split_of_real_frames_is_found(real_data: Path):
    config = DataConfig(val_share=0.2)
    survey = survey_of(real_data / "camvid", config)
    (finding,) = found(survey, real_data / "camvid", config)
    assert finding.title == "88 of 94 validation frames of films lie next to a training frame"
    assert finding.remedy == f"pixelwise train {real_data / 'camvid'}"
