"""From a data set and this machine to a plan: measures, asks the decisions, and tries what they propose."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch

from pixelwise.backends.torch import choose_device
from pixelwise.config import AugmentConfig, TrainConfig
from pixelwise.data import open_dataset
from pixelwise.data.statistics import Statistics, measure
from pixelwise.errors import ConfigError
from pixelwise.losses import build_loss
from pixelwise.training.described import check_weights, describe_network
from pixelwise.training.engine import decide_precision
from pixelwise.training.events import Listener
from pixelwise.training.machine import GIB, Memory, free_memory, gib
from pixelwise.training.memory import Outcome, try_out
from pixelwise.training.plan import (
    DoesNotFitError,
    Draft,
    Estimate,
    Facts,
    Network,
    Plan,
    propose_length,
    propose_recipe,
    propose_room,
    warnings,
)
from pixelwise.training.plan.facts import fit_cost
from pixelwise.training.plan.length import epoch_seconds, steps_per_epoch, total_steps
from pixelwise.training.plan.sentences import sentences
from pixelwise.training.start import settled
from pixelwise.training.trial import Wish
from pixelwise.types import size_text

SHARE = 0.8
"""Of the free memory that a plan takes: pictures of another kind, and other programs, need some as well."""

_PROBE_SIDE, _PROBES = 128, (2, 8)
"""The first trials: so many pictures of about this size, which take seconds."""

_MOST_TRIALS = 5
"""Real trials of a proposal; each that does not fit teaches the next one."""

_NOTABLE = 0.1
"""Share of the processor that others must have taken to be worth a word."""


def make_plan(
    data: Path, config: TrainConfig, *, given: frozenset[str], memory_gib: float | None, listener: Listener
) -> Plan:
    """Proposes how to train on a folder of labelled pictures; trains nothing.

    Args:
        data: The folder.
        config: The settings that the user gave, and defaults.
        given: Names of those that the user gave, which are kept.
        memory_gib: Memory that training may take; a share of what is free where not given.
        listener: Hears of progress.

    Raises:
        ConfigError: Settings that cannot be, as in training.
        DataError: The data cannot be read, as in training.
        DoesNotFitError: The network cannot be trained in this memory.
    """
    if memory_gib is not None and not memory_gib > 0:
        raise ConfigError(f"--memory must be above 0 GiB, got {memory_gib:g}")
    config = settled(config)
    device = choose_device(config.device)
    decide_precision(config, device)
    build_loss(config.loss, class_weights=None)
    # A wrong name should not cost a walk over all pictures.
    check_weights(config, describe_network(config, classes=1))
    dataset = open_dataset(data, config.data)
    for note in dataset.notes:
        listener.note(note)
    if config.class_weights and len(config.class_weights) != len(dataset.classes):
        raise ConfigError(
            f"--class-weights gives {len(config.class_weights)} weights for {len(dataset.classes)} classes: "
            f"{', '.join(dataset.classes.names)}"
        )
    statistics = measure(dataset, workers=config.data.workers, progress=listener.work)
    network = describe_network(config, classes=len(dataset.classes))
    draft = propose_recipe(Draft(config, given), statistics, network)
    free = None if device.type == "cuda" else free_memory()
    planner = _Planner(statistics, network, given, device, memory_gib, listener)
    return planner.plan(draft, free)


def _device(outcome: Outcome) -> str:
    """Where the trial ran, and how undisturbed."""
    answer = outcome.answer
    if answer is None:
        return "tried in vain"
    text = f"tried on {answer.device} in {answer.precision}"
    if answer.taken <= _NOTABLE:
        return text
    return f"{text}; other programs took {answer.taken:.0%} of it meanwhile, which the times leave out"


def _room(config: TrainConfig) -> tuple[object, ...]:
    """What decides how much memory a run takes."""
    return config.size, config.augment.crop, config.batch_size, config.micro_batch


@dataclass(frozen=True)
class _Planner:
    """What is known before the first trial."""

    statistics: Statistics
    network: Network
    given: frozenset[str]
    device: torch.device
    memory_gib: float | None
    listener: Listener

    def plan(self, draft: Draft, free: Memory | None) -> Plan:
        """Probes, proposes, tries, and proposes again until it fits."""
        limit = None if free is None else free.free
        outcomes = [self._probe(draft.config, pictures, limit) for pictures in _PROBES]
        first = outcomes[0].answer
        if free is None:
            found = first.free if first is not None and first.free is not None else 0
            free = Memory(found, "free on the GPU")
        budget = self._budget(free)
        if any(outcome.answer is None for outcome in outcomes):
            peak = max(outcome.peak for outcome in outcomes if outcome.answer is None)
            raise DoesNotFitError(
                f"{self.network.name} ran out of memory on {_PROBES[-1]} small pictures when it held "
                f"{gib(peak)} of the {gib(free.free)} {free.source}: "
                "free memory, or take a smaller network (pixelwise models)"
            )
        return self._settle(draft, outcomes, budget, limit)

    def _settle(self, draft: Draft, outcomes: list[Outcome], budget: int, limit: int | None) -> Plan:
        """Tries what is proposed; each trial makes the next proposal a better one."""
        best: tuple[Draft, Outcome] | None = None
        tightened = budget
        for _ in range(_MOST_TRIALS):
            facts = self._facts(outcomes, tightened)
            proposed = propose_room(draft, facts)
            if best is not None and _room(proposed.config) == _room(best[0].config):
                break
            outcome = self._try(propose_length(proposed, facts).config, limit)
            if outcome.answer is not None:
                outcomes = [*outcomes, outcome]
            elif best is None:
                tightened = round(0.8 * tightened)  # it only tells that it was too much
            if outcome.fits(budget):
                # The small probes may have been too wary: one more look, with what is known now.
                best, again = (proposed, outcome), best is None
                if again:
                    continue
            if best is not None:
                break
        if best is None:
            raise DoesNotFitError(
                f"none of {_MOST_TRIALS} trials stayed within {gib(budget)}: raise --memory, or give a "
                "smaller --size, --batch-size or network"
            )
        return self._finish(best[0], self._facts(outcomes, budget), best[1])

    def _budget(self, free: Memory) -> int:
        if self.memory_gib is None:
            budget = int(SHARE * free.free)
            self.listener.note(f"memory: {gib(budget)}, {SHARE:.0%} of the {gib(free.free)} {free.source}")
            return budget
        wanted = int(self.memory_gib * GIB)
        if wanted > free.free:
            self.listener.warning(
                f"--memory {self.memory_gib:g} is more than the {gib(free.free)} {free.source}, and what "
                "cannot be tried cannot be planned: the plan is for those"
            )
        return min(wanted, free.free)

    def _probe(self, config: TrainConfig, pictures: int, limit: int | None) -> Outcome:
        """A few small pictures, without crops."""
        side = -(-_PROBE_SIDE // self.network.stride) * self.network.stride
        whole = AugmentConfig(**{**dataclasses.asdict(config.augment), "crop": None, "crop_max_share": 1.0})
        small = dataclasses.replace(
            config,
            size=(side, side),
            batch_size=pictures,
            micro_batch=None,
            ema=config.ema if "ema" in self.given else 0.999,
            augment=whole,
        )
        return self._try(small, limit)

    def _try(self, config: TrainConfig, limit: int | None) -> Outcome:
        pieces = f" in pieces of {config.micro_batch}" if config.micro_batch else ""
        crop = f", crops of {size_text(config.augment.crop)}" if config.augment.crop else ""
        what = f"{config.batch_size} pictures of {size_text(config.size)}{crop}{pieces}"
        self.listener.work(f"trying {what}", 0, 1)
        outcome = try_out(Wish(config, len(self.statistics.classes), config.batch_size, limit))
        if outcome.answer is None:
            self.listener.note(f"tried {what}: too much, it held {gib(outcome.peak)} when it ended")
        else:
            self.listener.note(
                f"tried {what}: {gib(outcome.peak)}, {outcome.answer.train_seconds:.2g} s a step"
            )
        return outcome

    def _facts(self, outcomes: list[Outcome], budget: int) -> Facts:
        seen = [outcome.seen for outcome in outcomes]
        largest = max(outcomes, key=lambda outcome: outcome.seen.held_pixels if outcome.seen else 0)
        cost = fit_cost(
            [s for s in seen if s is not None],
            train_seconds=largest.train_seconds,
            val_seconds=largest.val_seconds,
        )
        return Facts(
            data=self.statistics,
            network=self.network,
            cost=cost,
            budget=budget,
            processor=self.device.type != "cuda",
        )

    def _finish(self, draft: Draft, facts: Facts, outcome: Outcome) -> Plan:
        # Only now is the time known as well as it can be, and so the length.
        draft = propose_length(draft, facts)
        steps = total_steps(draft, facts)
        seconds = epoch_seconds(draft, facts) * steps / steps_per_epoch(draft, facts)
        return Plan(
            config=draft.config,
            choices=draft.choices,
            facts=(*sentences(facts.data, self.network, draft.config.size), _device(outcome)),
            warnings=warnings(draft, facts),
            estimate=Estimate(peak=outcome.peak, budget=facts.budget, steps=steps, seconds=seconds),
        )
