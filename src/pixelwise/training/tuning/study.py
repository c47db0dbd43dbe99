"""Optuna's part: which settings a trial gets, which trial is hopeless, what each setting was worth.

Only trials that ended are stored, each in one transaction; a trial under way has its run folder and nothing
else. What it gets is a function of (seed, trial number, setting, trials that ended), so a tuner that was
killed proposes what the undisturbed one would have. Trials lie in SQLite through Optuna's own storage: that
needs nothing which Optuna does not, survives a kill -9 without a stale lock, and Optuna's dashboard reads it.
Knows no training.
"""

from __future__ import annotations

import datetime
import logging
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL

from pixelwise.config.search import Range, Setting
from pixelwise.config.single import setting_of
from pixelwise.errors import DataError
from pixelwise.training.tuning.plan import StudyPlan
from pixelwise.training.tuning.trial import State, Trial

_STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
_NAME = "pixelwise"

_RANDOM_TRIALS = 10
"""Trials drawn evenly before the sampler builds on what it has seen."""

_COMPLETE_TRIALS = 5
"""Complete trials that a median needs before it prunes anything."""


class Study:
    """The trials that ended, and what follows from them.

    Args:
        folder: Of the study.
        plan: What it is to do.

    Raises:
        DataError: study.db cannot be opened.
    """

    def __init__(self, folder: Path, plan: StudyPlan) -> None:
        self.folder = folder
        self.plan = plan
        self._path = folder / "study.db"
        self._distributions = {setting.name: _distribution(setting) for setting in plan.search}
        url = URL.create("sqlite", database=str(self._path.resolve())).render_as_string()
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(logging.WARNING)  # "a new study created" is none of the user's concerns
        try:
            self._storage = optuna.storages.RDBStorage(url)
            self._study = optuna.create_study(
                storage=self._storage, study_name=_NAME, direction="maximize", load_if_exists=True
            )
        except Exception as error:  # whatever SQLite, SQLAlchemy and Optuna raise about a file
            raise DataError(
                f"{self._path} cannot be opened ({str(error).splitlines()[0][:200]}): delete it, and the "
                "study is read from its trials' folders again"
            ) from error
        finally:
            optuna.logging.set_verbosity(level)

    def close(self) -> None:
        """Lets go of the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def discard(self) -> None:
        """Removes study.db."""
        self.close()
        self._path.unlink(missing_ok=True)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those that ended, by number."""
        return tuple(_trial(frozen) for frozen in self._study.get_trials(deepcopy=False))

    def propose(self, number: int) -> dict[str, float | str]:
        """What trial `number` gets for each setting.

        Trial 0 gets the base's own values, as far as they lie in the search: the best trial is then no worse
        than what would have been trained anyway.
        """
        # Opened anew: a study remembers the trials that its sampler saw, and is told of ours by nobody.
        study = optuna.load_study(study_name=_NAME, storage=self._storage)
        return {setting.name: self._draw(study, number, setting) for setting in self.plan.search}

    def _draw(self, study: optuna.Study, number: int, setting: Setting) -> float | str:
        base = self.plan.base
        if number == 0:
            own = setting.raw(setting_of(base, setting.name))
            if own is not None:
                return own
        # A sampler of its own for every number: nothing is carried over, so nothing can be lost by a kill.
        seed = np.random.SeedSequence([base.seed, number, zlib.crc32(setting.name.encode())])
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=_RANDOM_TRIALS, seed=int(seed.generate_state(1)[0]), constant_liar=False
        )
        raw = sampler.sample_independent(
            study, self._pending(number, {}), setting.name, self._distributions[setting.name]
        )
        return setting.rounded(float(raw)) if isinstance(setting, Range) else str(raw)

    def hopeless(self, number: int, course: Sequence[tuple[int, float]]) -> bool:
        """Whether a trial's best so far is below the median of the complete ones at that epoch.

        Never in the first quarter of the epochs, and not before there are five complete trials.

        Args:
            number: Of the trial.
            course: Its epochs that ended with a validation so far, each with its mIoU.
        """
        base = self.plan.base
        first = 2 if base.steps is not None else max(2, base.epochs // 4)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_COMPLETE_TRIALS, n_warmup_steps=first)
        return bool(pruner.prune(self._study, self._pending(number, dict(course))))

    def add(self, trial: Trial) -> None:
        """Stores a trial that ended, whole or not at all."""
        self._study.add_trial(
            optuna.trial.create_trial(
                state=_STATES[trial.state],
                value=trial.miou,
                params=dict(trial.raw),
                distributions=self._distributions,
                intermediate_values=dict(trial.course),
                user_attrs={
                    "best_epoch": trial.best_epoch,
                    "seconds": trial.seconds,
                    "note": trial.note,
                },
            )
        )

    def importance(self) -> Mapping[str, float] | None:
        """Each setting's share of the differences in mIoU, most important first; None for too few trials.

        By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), over the complete trials.
        """
        complete = [trial.miou for trial in self.trials if trial.state == "complete"]
        if len(complete) < _COMPLETE_TRIALS or len(set(complete)) == 1:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _pending(self, number: int, course: Mapping[int, float]) -> FrozenTrial:
        """A trial under way, as Optuna's samplers and pruners want it; it is in no storage."""
        return FrozenTrial(
            number=number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.datetime.now(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values=dict(course),
            trial_id=-1,
        )


def _distribution(setting: Setting) -> BaseDistribution:
    if not isinstance(setting, Range):
        return CategoricalDistribution(setting.texts)
    if setting.whole:
        return IntDistribution(int(setting.low), int(setting.high), log=setting.log)
    return FloatDistribution(setting.low, setting.high, log=setting.log)


def _trial(frozen: FrozenTrial) -> Trial:
    names: dict[TrialState, State] = {state: name for name, state in _STATES.items()}
    state = names[frozen.state]
    return Trial(
        number=frozen.number,
        state=state,
        raw=dict(frozen.params),
        miou=frozen.value if state != "failed" else None,
        best_epoch=int(frozen.user_attrs["best_epoch"]),
        course=tuple(sorted(frozen.intermediate_values.items())),
        seconds=float(frozen.user_attrs["seconds"]),
        note=str(frozen.user_attrs["note"]),
    )
