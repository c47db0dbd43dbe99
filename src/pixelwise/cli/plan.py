"""`pixelwise train DATA --plan` at the terminal: what is proposed, why, and the command that does it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pixelwise.cli.flags import as_path, value_words
from pixelwise.cli.terminal import Display, complain, print_json
from pixelwise.config.flags import flags

if TYPE_CHECKING:
    from pixelwise.config import TrainConfig
    from pixelwise.training.plan import Plan

NO = 1
"""Exit code of "it does not fit"."""


def run_plan(
    data: Path,
    config: TrainConfig,
    *,
    out: Path,
    given: frozenset[str],
    memory_gib: float | None,
    json: bool,
) -> int:
    """Plans and prints; 0, or 1 where nothing fits into the memory."""
    from pixelwise.training.plan import DoesNotFitError
    from pixelwise.training.planner import make_plan

    try:
        with Display() as display:
            plan = make_plan(data, config, given=given, memory_gib=memory_gib, listener=display)
    except DoesNotFitError as error:
        complain(str(error))
        return NO
    words = command_words(data, plan.config, out=out)
    if json:
        print_json({**plan.to_json(), "command": words, "shell": shlex.join(words)})
    else:
        _print(plan, shlex.join(words))
    return 0


def command_words(data: Path, config: TrainConfig, *, out: Path) -> list[str]:
    """The command that trains with exactly this configuration."""
    return ["pixelwise", "train", as_path(data), "--out", as_path(out), *flags(config)]


def _print(plan: Plan, command: str) -> None:
    from pixelwise.training.machine import gib

    console = Console(highlight=False)
    for fact in plan.facts:
        console.print(escape(fact), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("setting", no_wrap=True)
    table.add_column("value", no_wrap=True)
    table.add_column("why")
    before = ""
    for choice in plan.choices:
        name = choice.setting.replace("_", "-")
        why = choice.why if choice.why != before or choice.given else ""  # said once for those that follow
        table.add_row(name, escape(_value(choice.value)), escape(why))
        before = choice.why
    console.print()
    console.print(table)
    estimate = plan.estimate
    console.print(
        f"\nmemory   {gib(estimate.peak)} of {gib(estimate.budget)}, as one real step and "
        f"validation took\ntime     {_time(estimate.seconds)} for {estimate.steps:,} steps and validation",
        soft_wrap=True,
    )
    for warning in plan.warnings:
        console.print(f"[yellow]warning[/]  {escape(warning)}", soft_wrap=True)
    # Not through the console, which would break the line: it is to be copied.
    print(f"\n{command}")


def _time(seconds: float) -> str:
    """`2700` as `about 45 min`, `40000` as `about 11 h`: no more digits than the measurement has."""
    if seconds < 90 * 60:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {round(seconds / 3600, 1 if seconds < 36000 else None):g} h"


def _value(value: Any) -> str:
    return "none" if value is None else " ".join(value_words(value))
