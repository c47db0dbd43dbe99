"""`pixelwise predict --compare`: picture, truth and prediction side by side, the worst pictures first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelwise.cli.results import print_metrics
from pixelwise.cli.terminal import Display, print_json
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.evaluation import evaluate, predictions
from pixelwise.report.sheet import SheetRow, sheet
from pixelwise.segmenter import Segmenter

OVERVIEW = 6
"""Pictures on the overview sheet."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which pictures are compared, and where the sheets go.

    Attributes:
        data: Folder of the labelled pictures.
        split: Which of them.
        worst: How many sheets.
        folder: Of the sheets; it is there.
        config: How the data set is read.
        json: Print the result for machines.
    """

    data: Path
    split: str
    worst: int
    folder: Path
    config: DataConfig
    json: bool

    def run(self, segmenter: Segmenter, display: Display) -> int:
        """Measures, draws the worst, prints; 0."""
        dataset = open_dataset(self.data, self.config)
        for note in dataset.notes:
            display.note(note)
        workers = self.config.workers
        result = evaluate(
            segmenter.predictor,
            dataset.reader,
            dataset.indices(self.split),
            worst=self.worst,
            workers=workers,
            on_picture=lambda done, total: display.work("evaluating", done, total),
        )
        ranked = [picture.index for picture in result.worst]
        sheets: list[str] = []
        overview: list[SheetRow] = []
        # Predicted a second time: keeping every picture of a large set for the few that are drawn would not
        # fit.
        again = predictions(segmenter.predictor, dataset.reader, ranked, workers=workers)
        for rank, (_, sample, segmentation) in enumerate(again, start=1):
            target = self.folder / f"{rank:03d}-{sample.name.replace('/', '_')}.png"
            row = SheetRow(sample=sample, labels=segmentation.labels, miou=result.worst[rank - 1].miou)
            sheet([row], segmenter.classes, panel=320).save(target)
            sheets.append(str(target))
            if rank <= OVERVIEW:
                overview.append(row)
            display.work("drawing", rank, len(ranked))
        if overview:
            sheet(overview, segmenter.classes).save(self.folder / "worst.png")
        if self.json:
            print_json({"out": str(self.folder.parent), "sheets": sheets, **result.metrics.to_json()})
        else:
            title = f"{result.pictures} pictures ({self.split}), at each photo's size"
            print_metrics(result.metrics, title=title)
            print(f"sheets  {self.folder / 'worst.png'}, and one per picture beside it, worst first")
        return 0
