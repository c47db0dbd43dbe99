"""A setting with its reason, a plan as it grows, and the whole plan. Knows no reason of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise import plain
from pixelwise.config import AugmentConfig, TrainConfig

_OF_AUGMENT = frozenset(f.name for f in dataclasses.fields(AugmentConfig))


@dataclass(frozen=True)
class Choice:
    """One line of a plan.

    Attributes:
        setting: Its name, as in Python: `batch_size`.
        value: What it is set to.
        why: One short sentence.
        given: Whether the user chose it and the plan only keeps it.
    """

    setting: str
    value: Any
    why: str
    given: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"setting": self.setting, "value": self.value, "why": self.why, "given": self.given}


@dataclass(frozen=True)
class Draft:
    """Settings on their way to a plan; what the user gave is never changed.

    Attributes:
        config: The settings so far.
        given: Names of the settings that the user gave; those of augmentation and data stand there without
            their part's name, as on the command line.
        choices: What was decided, in order.
    """

    config: TrainConfig
    given: frozenset[str]
    choices: tuple[Choice, ...] = ()

    def get(self, setting: str) -> Any:
        """The value of a setting of training or augmentation."""
        return getattr(self.config.augment if setting in _OF_AUGMENT else self.config, setting)

    def free(self, *settings: str) -> bool:
        """Whether the user gave none of them."""
        return self.given.isdisjoint(settings)

    def choose(self, why: str, values: Mapping[str, Any]) -> Draft:
        """The draft with those of the values that the user did not give; an earlier choice is replaced."""
        draft = self
        for setting, value in values.items():
            given = setting in self.given
            chosen = draft.get(setting) if given else value
            if not given and draft.get(setting) != value:
                draft = dataclasses.replace(draft, config=_with(draft.config, {setting: value}))
            choice = Choice(setting, chosen, "as you asked" if given else why, given)
            others = tuple(c for c in draft.choices if c.setting != setting)
            draft = dataclasses.replace(draft, choices=(*others, choice))
        return draft


def _with(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    own = {name: value for name, value in values.items() if name not in _OF_AUGMENT}
    augment = {name: value for name, value in values.items() if name in _OF_AUGMENT}
    return dataclasses.replace(config, **own, augment=dataclasses.replace(config.augment, **augment))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the plan will take.

    Attributes:
        peak: Most memory in bytes, as it was measured.
        budget: Memory in bytes that it may take.
        steps: Updates of the weights.
        seconds: Of training and validation, from the measured step.
    """

    peak: int
    budget: int
    steps: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train with, and why.

    Attributes:
        config: All settings.
        choices: Those that were decided on, with reasons.
        facts: What was measured, in sentences.
        warnings: What is likely wrong, in sentences.
        estimate: Memory and time.
    """

    config: TrainConfig
    choices: tuple[Choice, ...]
    facts: tuple[str, ...]
    warnings: tuple[str, ...]
    estimate: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "choices": [choice.to_json() for choice in self.choices],
            "facts": list(self.facts),
            "warnings": list(self.warnings),
            "estimate": dataclasses.asdict(self.estimate),
            "config": plain.to_json(self.config),
        }
