"""`pixelwise ceiling`: the best that any network can reach at an output size, from the user's own masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from pixelwise.address import named
from pixelwise.cli.uncached import UncachedData

if TYPE_CHECKING:
    from pixelwise.ceiling import Ceiling as Result
    from pixelwise.cli.terminal import Display

INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """Tell the best mIoU that any network can reach at an output stride or input size.

    What is finer than the cells of a network's answer is lost, however well it is trained. Your own masks are
    brought to each grid and back, and compared with themselves. Ctrl-C keeps what is counted, and --resume
    goes on with it.
    """

    data: Annotated[Positional[Path], arg(metavar="DATA")]
    """Folder of the labelled pictures."""
    split: str = "val"
    """Which of them: train, val, all, or one of the data set's own, e.g. test."""
    strides: tuple[int, ...] = ()
    """Strides of the answer; 2 4 8 16 32 where not given, and 1 where sizes are given."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Input sizes, height and width each, e.g. 160 160 320 480; the pictures' own size where not given."""
    policy: Literal["resize", "letterbox"] = "resize"
    """How pictures get such a size: squashed, or with their aspect kept."""
    methods: tuple[Literal["soft", "majority", "nearest"], ...] = ("soft", "majority", "nearest")
    """How labels are brought to the grid and back; the table of classes is of the first."""
    out: Path = Path("ceiling")
    """Folder for ceiling.json, ceiling.png and the state of the count."""
    resume: bool = False
    """Go on with the count that the folder has."""
    json: bool = False
    """Print the result for machines."""
    config: UncachedData = field(default_factory=UncachedData)

    def run(self) -> int:
        """Counts, writes and prints; 0, or 130 when a signal ended it early."""
        from pixelwise.ceiling import CeilingInterrupted
        from pixelwise.cli.terminal import Display, complain, print_json, write_json
        from pixelwise.report.ceiling_plot import save_ceiling_plot

        try:
            with Display() as display:
                result = self._measure(display)
        except CeilingInterrupted as stopped:
            complain(f"{stopped}. Go on with the same command and --resume")
            return INTERRUPTED
        document: dict[str, Any] = {"data": named(self.data), "split": self.split, **result.to_json()}
        write_json(self.out / "ceiling.json", document)
        save_ceiling_plot(result, self.out / "ceiling.png")
        if self.json:
            print_json(document)
        else:
            self._print(result)
        return 0

    def _measure(self, display: Display) -> Result:
        from pixelwise.ceiling import STATE_NAME, make_grids, measure_ceiling
        from pixelwise.data import open_dataset
        from pixelwise.interrupt import stop_on_signals

        grids = make_grids(self.strides, self.sizes, self.policy)  # wrong numbers are told before the opening
        dataset = open_dataset(self.data, self.config)
        for text in dataset.notes:
            display.note(text)
        with stop_on_signals() as stopped:
            return measure_ceiling(
                dataset,
                grids=grids,
                methods=self.methods,
                split=self.split,
                state=self.out / STATE_NAME,
                resume=self.resume,
                note=display.note,
                progress=display.work,
                stop=lambda: bool(stopped),
            )

    def _print(self, result: Result) -> None:
        from rich.console import Console

        from pixelwise.report.ceiling_table import ceiling_table

        console = Console(highlight=False)
        console.print(f"{result.pictures:,} pictures ({self.split}), {len(result.classes)} classes")
        console.print(ceiling_table(result))
        print(f"\nfigures  {self.out / 'ceiling.json'}\nplot     {self.out / 'ceiling.png'}")
        print(f"advice   {result.recommendation}")
