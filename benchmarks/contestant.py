"""A contestant of a benchmark: a process that measures when it is told to, so that several can take turns.

It prints a line of facts as JSON when it is ready, and one more for each line that it reads. Other lines of
its output are passed over. Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import Any

from machine import ROOT


class EndedEarly(SystemExit):
    """A contestant's process ended before it answered; its code and its last words.

    The end of the run, unless somebody goes on without it.
    """


class Contestant:
    """A process that answers each line that it is told with one of JSON.

    Attributes:
        facts: What it said when it was ready.
        answers: Whatever it answered since.

    Raises:
        EndedEarly: It ended instead of getting ready; `ask` raises it too.
    """

    def __init__(self, name: str, words: list[str]) -> None:
        self.name = name
        self.answers: list[Any] = []
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._said = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("pipes were asked for")
        self._to, self._from = self._process.stdin, self._process.stdout
        self.facts = self._line()

    def ask(self, word: str) -> Any:
        """What it answers to a line; kept as well."""
        try:
            self._to.write(f"{word}\n")
            self._to.flush()
        except BrokenPipeError:
            raise self._ended() from None
        self.answers.append(self._line())
        return self.answers[-1]

    def close(self) -> None:
        """Ends the process."""
        self._to.close()
        self._process.wait()
        self._said.close()

    def _line(self) -> Any:
        for line in self._from:
            if line.startswith(("{", "[")):
                return json.loads(line)
        raise self._ended()

    def _ended(self) -> EndedEarly:
        code = self._process.wait()
        self._said.seek(0)
        return EndedEarly(
            "\n".join([f"{self.name} ended early ({code}):", *self._said.read().splitlines()[-5:]])
        )
