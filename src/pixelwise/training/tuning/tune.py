"""Trains again and again with other settings, and says which were the best on the validation pictures.

Goes on where it was killed. Knows neither Optuna's ways nor the training loop's.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise import plain
from pixelwise.address import absolute
from pixelwise.config import TrainConfig
from pixelwise.config.search import default_search, parse_search
from pixelwise.config.single import with_settings
from pixelwise.errors import ConfigError, PixelwiseError
from pixelwise.training.events import Listener, LogListener
from pixelwise.training.run import RunFolder
from pixelwise.training.start import settled
from pixelwise.training.tuning.plan import LOCK, StudyPlan, read_plan, settle, study_file, write_plan
from pixelwise.training.tuning.result import Tuning, best_trial, said, train_command, write_table
from pixelwise.training.tuning.run_trial import TrialOrder, run_trial
from pixelwise.training.tuning.trial import Trial, ended_early

if TYPE_CHECKING:
    from pixelwise.training.tuning.study import Study


def tune(
    data: str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    out: str | os.PathLike[str] = "tune",
    trials: int = 20,
    search: Sequence[str] = (),
    prune: bool = True,
    listener: Listener | None = None,
    **settings: Any,
) -> Tuning:
    """Searches for settings that train a better network; goes on with the study that the folder may hold.

    Args:
        data: Folder of the labelled pictures.
        config: The settings that are not searched, all at once; or give them one by one:
        out: Folder of the study.
        trials: How many runs, with those that were pruned or failed.
        search: What to try: `lr=1e-4..1e-2:log`, `batch_size=4..16`, `loss=ce,ce + dice`; where not given,
            learning rate, weight decay, scale, colour and loss.
        prune: Whether a trial ends early that is worse than half of the others were at its epoch.
        listener: Hears of progress; the log `pixelwise` where not given.
        **settings: Settings by the names of the command line's flags.

    Raises:
        ConfigError: A setting that there is not or that is impossible; a folder that holds something else;
            Optuna is not installed.
        DataError: The data cannot be read, or are others than the study began with.
        TrainingInterrupted: A signal asked to stop; the same call goes on.
        PixelwiseError: No trial came to its end.
    """
    if config is not None and settings:
        raise ConfigError("give either a config or single settings, not both")
    base = settled(config or plain.from_flat(TrainConfig, settings))
    plan = StudyPlan(
        data=absolute(Path(data)),
        base=base,
        search=parse_search(search, base) if search else default_search(base),
        trials=trials,
        prune=prune,
    )
    require_optuna()
    folder = Path(out)
    with _alone(folder):
        new = settle(folder, plan)
        return _run(folder, plan, listener or LogListener(), new=new)


def resume_tuning(
    folder: str | os.PathLike[str], *, trials: int | None = None, listener: Listener | None = None
) -> Tuning:
    """Goes on with a study, to the trials that it would have had undisturbed.

    Args:
        folder: Of the study.
        trials: How many in all, where it is to be another number.
        listener: Hears of progress.

    Raises:
        ConfigError: There is no study in the folder.
    """
    path = Path(folder)
    plan = read_plan(path)
    if trials is not None:
        plan = dataclasses.replace(plan, trials=trials)
    require_optuna()
    with _alone(path):
        write_plan(path, plan)
        return _run(path, plan, listener or LogListener(), new=False)


def require_optuna() -> None:
    """Raises `ConfigError` where Optuna is not installed."""
    try:
        import filelock  # noqa: F401
        import optuna  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"tune needs Optuna, which is not installed ({error}): pip install 'pixelwise[tune]'"
        ) from error


def _run(folder: Path, plan: StudyPlan, listener: Listener, *, new: bool) -> Tuning:
    from pixelwise.training.tuning.study import Study

    study = Study(folder, plan)
    try:
        talkative = True
        while len(study.trials) < plan.trials:
            trial = _next(study, listener, talkative=talkative)
            study.add(trial)
            write_table(folder / "trials.csv", study.trials, plan)
            listener.note(said(trial))
            talkative = False
        return _result(study)
    except PixelwiseError:
        if new and not _run_folder(folder, 0).path.exists():
            study.discard()  # not even the data could be opened: leave nothing behind
            study_file(folder).unlink()
        raise
    finally:
        study.close()


def _next(study: Study, listener: Listener, *, talkative: bool) -> Trial:
    plan, number = study.plan, len(study.trials)
    raw = study.propose(number)
    drawn = ", ".join(f"{name} {value}" for name, value in raw.items())
    listener.note(f"trial {number} ({number + 1} of {plan.trials}): {drawn}")
    try:
        order = TrialOrder(
            number=number,
            raw=raw,
            data=plan.data,
            config=_trial_config(plan, raw),
            run=_run_folder(study.folder, number),
            first=_run_folder(study.folder, _first_run(study)),
            talkative=talkative,
        )
        hopeless = (lambda course: study.hopeless(number, course)) if plan.prune else None
        return run_trial(order, hopeless, listener)
    except ConfigError as error:
        # Settings that each go with the base need not go together; the base alone must.
        if number == 0:
            raise
        return ended_early(number, raw, (), state="failed", note=str(error))


def _first_run(study: Study) -> int:
    """The number of the trial whose pictures are the study's: the first that began to train."""
    number = len(study.trials)
    return next((n for n in range(number) if _run_folder(study.folder, n).provenance.exists()), number)


def _result(study: Study) -> Tuning:
    trials = study.trials
    best = best_trial(trials)
    if best is None:
        last = trials[-1]
        raise PixelwiseError(
            f"none of {len(trials)} trials came to its end, trial {last.number} because: {last.note}"
        )
    return Tuning(
        folder=study.folder,
        trials=trials,
        best=best,
        model=_run_folder(study.folder, best.number).best,
        importance=study.importance(),
        command=train_command(study.plan.data, _trial_config(study.plan, best.raw), study.folder / "best"),
    )


def _trial_config(plan: StudyPlan, raw: Mapping[str, float | str]) -> TrainConfig:
    values = {setting.name: setting.value(raw[setting.name]) for setting in plan.search}  # pyright: ignore[reportArgumentType]
    return settled(with_settings(plan.base, values))


def _run_folder(folder: Path, number: int) -> RunFolder:
    return RunFolder(folder / f"trial-{number:03d}")


@contextmanager
def _alone(folder: Path) -> Generator[None, None, None]:
    """Keeps a second tuner out of the folder while the block runs; the system lets go of it after a kill."""
    import filelock

    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise ConfigError(
            f"another tuner is at work in {folder}: wait for it, or name another folder with --out"
        ) from None
    try:
        yield
    finally:
        lock.release()
        if not existed and all(item.name == LOCK for item in folder.iterdir()):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()
