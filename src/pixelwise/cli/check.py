"""`pixelwise check`: what is wrong with a data set, before it costs a day."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from pixelwise.cli.uncached import UncachedData
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from pixelwise.check.run import Checked
    from pixelwise.cli.terminal import Display


INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Check:
    """Look at every picture and mask of a data set and say what is wrong, with the remedy to copy.

    Ends with a verdict: 0 where training can begin, 1 where it would go wrong. Writes report.html, for a
    browser, and report.json. A check that was stopped goes on where it is called again; one that is repeated
    looks at changed files only.
    """

    data: Annotated[Positional[Path], arg(metavar="DATA")]
    """Folder of the labelled pictures."""
    out: Path = Path("check")
    """Folder for the report."""
    size: tuple[int, int] | None = None
    """Height and width of the network's input in mind; says which objects are too small for it."""
    stride: int | None = None
    """Likewise the pixels of its input that get one answer, each way, e.g. 4 for deeplabv3plus."""
    afresh: bool = False
    """Look at every file again, whatever an earlier check noted."""
    json: bool = False
    """Print the result for machines."""
    config: UncachedData = field(default_factory=UncachedData)

    def run(self) -> int:
        """Checks, writes the report and says the verdict; 0, or 1 where training would go wrong.

        Or 130 when a signal ended it early.
        """
        if self.size is not None and not all(1 <= side <= 16384 for side in self.size):
            raise ConfigError(f"size must lie in 1..16384, got {self.size[0]} {self.size[1]}")
        if self.stride is not None and not 1 <= self.stride <= 256:
            raise ConfigError(f"stride must lie in 1..256, got {self.stride}")

        from pixelwise.cli.terminal import complain
        from pixelwise.interrupt import sigterm_as_ctrl_c

        try:
            with sigterm_as_ctrl_c():
                return self._run()
        except KeyboardInterrupt:
            complain("interrupted; what was looked at is noted, and the same command goes on from there")
            return INTERRUPTED

    def _run(self) -> int:
        from rich.console import Console

        from pixelwise.check.journal import NAME
        from pixelwise.cli.terminal import Display, print_json
        from pixelwise.report.check_files import PAGE, write_report
        from pixelwise.report.verdict import verdict

        if self.afresh:
            (self.out / NAME).unlink(missing_ok=True)
        with Display() as display:
            checked = self._check(display)
            report = checked.report
            for note in report.notes:
                display.note(note)
            if report.reused:
                display.note(
                    f"{report.reused:,} of {report.pictures:,} samples as an earlier check noted them; "
                    "--afresh looks at all again"
                )
            write_report(
                report, checked.dataset, self.out, workers=self.config.workers, progress=display.work
            )
        if self.json:
            print_json(report.to_json())
        else:
            console = Console(highlight=False, soft_wrap=True)
            for line in verdict(report, self.out / PAGE):
                console.print(line)
        return 0 if report.sound else 1

    def _check(self, display: Display) -> Checked:
        import pixelwise
        from pixelwise.check.run import check

        return check(
            self.data,
            self.config,
            out=self.out,
            command=shlex.join(["pixelwise", *sys.argv[1:]]),
            version=pixelwise.__version__,
            size=self.size,
            stride=self.stride,
            workers=self.config.workers,
            progress=display.work,
        )
