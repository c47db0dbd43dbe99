"""What the commands share at the terminal: complaints, progress, JSON.

Notes go to stderr, results to stdout. Imports no torch, so that a complaint is quick.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from pixelwise.files import write_whole
from pixelwise.report.visible import visible

if TYPE_CHECKING:
    from pixelwise.report.history import HistoryRow
    from pixelwise.training.events import StepEvent

PLAIN_SECONDS = 10.0
"""Where there is no terminal, a progress line is printed this often."""


def complain(text: str) -> None:
    """One sentence about what went wrong, on stderr."""
    Console(stderr=True, soft_wrap=True).print(
        f"[bold red]pixelwise:[/] {escape(visible(text))}", highlight=False
    )


def print_json(value: Any) -> None:
    """A result for machines, on stdout."""
    sys.stdout.write(json_text(value))


def duration(seconds: float) -> str:
    """`75` as `1:15`, `3700` as `1:01:40`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Display:
    """Shows notes, warnings and progress: a live bar on a terminal, a line now and then elsewhere.

    Use it as a context manager, so that the bar is taken down whatever happens.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._live = self.console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Display:
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._bar.stop()

    def note(self, text: str) -> None:
        """A fact worth a line."""
        self.console.print(escape(visible(text)))

    def warning(self, text: str) -> None:
        """Something that is likely wrong."""
        self.console.print(f"[yellow]warning:[/] {escape(visible(text))}")

    def work(self, text: str, done: int, total: int | None) -> None:
        """Progress of a longer piece of work; where nobody knows how long, `total` is None."""
        self._show(text, done, total, "")

    def step(self, event: StepEvent) -> None:
        """Progress within an epoch: loss, speed, time left."""
        facts = (
            f"loss {event.loss:.4f}  {event.images_per_second:.1f} images/s  "
            f"{duration(event.seconds_left)} left"
        )
        self._show(f"epoch {event.epoch}", event.step, event.steps, facts)

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """The figures of an epoch, one line."""
        self._remove()
        self.console.print(
            f"epoch {row.epoch:>{len(str(epochs))}}/{epochs}  loss {row.train_loss:.4f}  "
            f"val loss {row.val_loss:.4f}  val mIoU {100 * row.val_miou:.2f}%  "
            f"{'' if row.average_miou is None else f'average {100 * row.average_miou:.2f}%  '}"
            f"{row.images_per_second:5.1f} images/s  {duration(row.seconds)}"
            f"{'  [green]best[/]' if best else ''}"
        )
        self._last_line = time.monotonic()

    def _show(self, text: str, done: int, total: int | None, facts: str) -> None:
        if self._live:
            if self._task is None:
                self._task = self._bar.add_task(text, total=total, facts=facts)
            self._bar.update(self._task, description=text, completed=done, total=total, facts=facts)
            if done == total:
                self._remove()
        elif time.monotonic() - self._last_line >= PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self.console.print(f"{text}  {done}/{'?' if total is None else total}  {facts}".rstrip())

    def _remove(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


def write_json(path: Path, value: Any) -> None:
    """A result for machines, in a file."""
    write_whole(path, json_text(value).encode())


def json_text(value: Any) -> str:
    """A result for machines, which UTF-8 can hold: file names need not be valid text."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=2) + "\n"
    return text
