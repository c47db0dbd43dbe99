"""Optuna's part, without any training: proposals, pruning, storage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra [tune]")

from pixelwise.config import TrainConfig
from pixelwise.config.search import parse_search
from pixelwise.errors import ConfigError, DataError
from pixelwise.training.tuning.plan import StudyPlan, read_plan, settle, study_file
from pixelwise.training.tuning.study import Study
from pixelwise.training.tuning.trial import Trial

BASE = TrainConfig(lr=0.00123456, loss="ce + dice", epochs=8, seed=3)
PLAN = StudyPlan(
    data=Path("/data"),
    base=BASE,
    search=parse_search(["lr=1e-4..1e-2:log", "batch_size=2..9", "loss=ce,ce + dice", "momentum=0,1"], BASE),
    trials=20,
    prune=True,
)


def complete(
    number: int, raw: dict[str, float | str], miou: float, course: tuple[tuple[int, float], ...]
) -> Trial:
    return Trial(
        number=number, state="complete", raw=raw, miou=miou, best_epoch=1, course=course, seconds=2.5
    )


def landscape(raw: dict[str, float | str]) -> float:
    """A made-up mIoU that grows with the batch size and likes one loss."""
    return float(raw["batch_size"]) / 10 + (0.05 if raw["loss"] == "ce" else 0)


def run(folder: Path, trials: int, *, reopened: bool) -> list[dict[str, float | str]]:
    """The proposals of a study, opened once, or anew every third trial and asked twice."""
    folder.mkdir(exist_ok=True)
    study = Study(folder, PLAN)
    proposals: list[dict[str, float | str]] = []
    for number in range(trials):
        if reopened and number % 3 == 2:
            study.propose(number)  # the process dies after this
            study.close()
            study = Study(folder, PLAN)
        raw = study.propose(number)
        proposals.append(raw)
        study.add(complete(number, raw, landscape(raw), ((1, 0.1),)))
    assert len(study.trials) == trials
    study.close()
    return proposals


def test_a_killed_study_proposes_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    # 13 trials: three of them after the ten that are drawn evenly, where the sampler looks at the others.
    undisturbed = run(tmp_path / "one", 13, reopened=False)
    assert run(tmp_path / "two", 13, reopened=True) == undisturbed
    assert len({str(raw) for raw in undisturbed}) == 13


def test_the_first_trial_is_the_base_as_far_as_it_can_be(tmp_path: Path) -> None:
    study = Study(tmp_path, PLAN)
    raw = study.propose(0)
    assert raw["lr"] == 0.00123456  # not even rounded
    assert raw["loss"] == "ce + dice"
    assert raw["momentum"] in ("0", "1")  # the base's 0.9 is not searched
    assert raw["batch_size"] in range(2, 10)  # nor is its 32
    study.close()


def test_another_seed_is_another_study(tmp_path: Path) -> None:
    other = dataclasses.replace(PLAN, base=dataclasses.replace(BASE, seed=4))
    one, two = Study(tmp_path, PLAN), Study(tmp_path, other)
    assert one.propose(3) != two.propose(3)
    assert one.propose(3) != one.propose(4)
    one.close()
    two.close()


def test_trials_come_back_as_they_were_added(tmp_path: Path) -> None:
    study = Study(tmp_path, PLAN)
    added = [
        complete(0, study.propose(0), 0.1 + 0.2, ((1, 0.1), (2, 0.1 + 0.2))),
        Trial(
            number=1,
            state="pruned",
            raw=study.propose(1),
            miou=0.2,
            best_epoch=5,
            course=((5, 0.2),),
            note="p",
        ),
        Trial(number=2, state="failed", raw=study.propose(2), note="the loss became nan"),
    ]
    for trial in added:
        study.add(trial)
    study.close()
    again = Study(tmp_path, PLAN)
    assert list(again.trials) == added
    again.close()


def test_pruning_by_hand(tmp_path: Path) -> None:
    study = Study(tmp_path, PLAN)
    # After epoch 2 the five complete trials stand at 0.1, 0.2, 0.3, 0.4 and 0.5: the median is 0.3.
    for number in range(5):
        assert not study.hopeless(number, ((1, 0.0), (2, 0.0)))  # fewer than five to compare with
        figure = (number + 1) / 10
        study.add(complete(number, study.propose(number), 0.9, ((1, 0.5), (2, figure))))
    assert not study.hopeless(5, ((1, 0.0),))  # the first quarter of 8 epochs is not judged
    assert study.hopeless(5, ((1, 0.0), (2, 0.29)))
    assert not study.hopeless(5, ((1, 0.0), (2, 0.31)))
    assert not study.hopeless(5, ((1, 0.31), (2, 0.0)))  # its best so far counts
    study.close()


def test_importance_names_what_mattered(tmp_path: Path) -> None:
    study = Study(tmp_path, PLAN)
    assert study.importance() is None
    for number in range(12):
        raw = study.propose(number)
        study.add(complete(number, raw, landscape(raw), ()))
    found = study.importance()
    assert found is not None
    assert set(found) == {"lr", "batch_size", "loss", "momentum"}
    assert next(iter(found)) == "batch_size"
    assert sum(found.values()) == pytest.approx(1)
    study.close()


def test_equal_figures_have_no_importance(tmp_path: Path) -> None:
    study = Study(tmp_path, PLAN)
    for number in range(6):
        study.add(complete(number, study.propose(number), 0.5, ()))
    assert study.importance() is None
    study.close()


def test_a_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 100)
    with pytest.raises(DataError, match=r"study\.db cannot be opened"):
        Study(tmp_path, PLAN)


def test_any_folder_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "what?x=%20 #1"
    run(folder, 1, reopened=False)
    assert (folder / "study.db").is_file()


def test_a_folder_settles_for_one_study(tmp_path: Path) -> None:
    folder = tmp_path / "tune"
    assert settle(folder, PLAN)
    assert read_plan(folder) == PLAN
    assert not settle(folder, dataclasses.replace(PLAN, trials=30))
    assert read_plan(folder).trials == 30
    base = dataclasses.replace(BASE, lr=1.0, augment=dataclasses.replace(BASE.augment, flip=True))
    for other, words in (
        (dataclasses.replace(PLAN, data=Path("/other")), "DATA"),
        (dataclasses.replace(PLAN, prune=False), "--prune"),
        (dataclasses.replace(PLAN, search=PLAN.search[:2]), "--search"),
        (dataclasses.replace(PLAN, base=base), "--lr, --flip"),
    ):
        with pytest.raises(ConfigError, match=rf"another study \({words} differ\)"):
            settle(folder, other)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty and holds no study"):
        settle(stranger, PLAN)


def test_a_damaged_plan(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no study"):
        read_plan(tmp_path)
    settle(tmp_path, PLAN)
    whole = study_file(tmp_path).read_text()
    for damaged in (
        whole[:80],
        "[]",
        whole.replace('"format": 1', '"format": 9'),
        whole.replace("..", "--"),
        whole.replace('"trials": 20', '"trials": "x"'),
    ):
        study_file(tmp_path).write_text(damaged)
        with pytest.raises(ConfigError, match="damaged"):
            read_plan(tmp_path)
