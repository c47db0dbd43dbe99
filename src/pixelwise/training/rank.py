"""One rank that `launcher` started: takes its order from stdin, tells on stdout, one JSON document a line.

Knows nothing of the other ranks but what their environment says.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import threading
from typing import Any, TextIO

from pixelwise import torch_runtime
from pixelwise.errors import PixelwiseError
from pixelwise.report.history import HistoryRow
from pixelwise.training.carry_out import carry_out
from pixelwise.training.events import Silent, StepEvent
from pixelwise.training.launch import find_launch
from pixelwise.training.loop import TrainingInterrupted
from pixelwise.training.order import Order
from pixelwise.training.ranks import RankLostError

_KINDS = (
    "TrainingInterrupted",
    "RankLostError",
    "DataError",
    "ConfigError",
    "ModelFileError",
    "BackendError",
)


class Teller:
    """A listener that passes everything on to the process which started this one."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def tell(self, kind: str, value: Any) -> None:
        """One piece of news."""
        self._out.write(json.dumps({"kind": kind, "value": value}) + "\n")
        self._out.flush()

    def note(self, text: str) -> None:
        """A fact worth a line."""
        self.tell("note", text)

    def warning(self, text: str) -> None:
        """Something that is likely wrong."""
        self.tell("warning", text)

    def work(self, text: str, done: int, total: int) -> None:
        """A longer piece of work moves on."""
        self.tell("work", [text, done, total])

    def step(self, event: StepEvent) -> None:
        """A step is done."""
        self.tell("step", dataclasses.asdict(event))

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """An epoch is done and measured."""
        self.tell("epoch", {"row": row.to_json(), "epochs": epochs, "best": best})


def main() -> int:
    """Carries out the order: 0 done, 2 an error that was told, 130 interrupted."""
    torch_runtime.keep_large_blocks()  # as the command line does
    # What libraries print must not come between the news.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    order = Order.from_json(json.loads(sys.stdin.readline()))
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    teller, launch = Teller(out), find_launch()

    def vanished(error: RankLostError) -> None:
        teller.tell("error", {"type": "RankLostError", "text": str(error)})
        os._exit(2)

    listener = teller if launch.rank == 0 else Silent()
    try:
        done = carry_out(order, listener, launch, on_lost=vanished)
    except PixelwiseError as error:
        kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS), "PixelwiseError")
        teller.tell("error", {"type": kind, "text": str(error)})
        if isinstance(error, RankLostError):
            os._exit(2)  # the process group would wait for those who are gone
        return 130 if isinstance(error, TrainingInterrupted) else 2
    teller.tell("result", done.to_json())
    return 0


def _leave_with_parent() -> None:
    """Ends this process as kill -9 would when the one that started it is gone: nobody else would."""
    sys.stdin.read()
    os._exit(1)
