"""`pixelwise export`: a trained network as a file for other runtimes, proved on pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pixelwise.config import DataConfig
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from pixelwise.cli.terminal import Display
    from pixelwise.data.dataset import Dataset
    from pixelwise.header import Form, ModelHeader
    from pixelwise.parity.pictures import Picture
    from pixelwise.parity.report import Report


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a network for ONNX Runtime, OpenVINO or libtorch, and prove it on pictures.

    The file takes raw RGB bytes (N, H, W, 3) of any size. It is compared with the network at several sizes
    and timed; beyond the limits (0.01% of the pixels in another class, 0.1% with --half, 0.5 points of mIoU
    with --int8) nothing is written, and the exit code is 1.
    """

    model: Positional[Path]
    """Model file of a run, e.g. run/best.safetensors; with --example also a file that was exported."""
    to: Literal["onnx", "openvino", "torchscript"] = "onnx"
    """Kind of file: .onnx, .xml with .bin, or .torchscript."""
    out: Path | None = None
    """The file; beside the model, where not given."""
    answer: Literal["logits", "probabilities", "labels"] = "logits"
    """What comes out for each pixel; softmax and argmax are inside then."""
    resize: bool = True
    """Bring pictures to the network's size inside, and the answer back to theirs, as predict does."""
    half: bool = False
    """Float16 weights, in half the bytes."""
    int8: Path | None = None
    """Whole numbers in most layers, calibrated on the training pictures of this labelled data set."""
    data: Path | None = None
    """Labelled data set to prove the export on; that of --int8 where not given."""
    photos: tuple[str, ...] = ()
    """Prove it on photos without masks instead: files, folders or quoted patterns."""
    split: str = "val"
    """Which pictures of the data set prove it."""
    pictures: int = 24
    """How many of them."""
    calibration: int = 64
    """With --int8: how many pictures of its training split calibrate it."""
    example: Literal["python", "js", "cpp"] | None = None
    """Print a complete program that uses the file, and everything else on stderr."""
    json: bool = False
    """Print the report for machines."""
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Exports and proves; 0, or 1 where the export is beyond the limits."""
        from pixelwise.exported import is_exported

        if self.example is not None and self.json:
            raise ConfigError("--example and --json both print on stdout: take one of them")
        if self.example is not None and is_exported(self.model):
            from pixelwise.exported import open_file

            _, header, form = open_file(self.model)
            self._print_example(self.model, header, form)
            return 0
        if is_exported(self.model):
            raise ConfigError(f"{self.model} is exported already: give the run's .safetensors")
        if min(self.pictures, self.calibration) < 1:
            raise ConfigError("pictures and calibration must be at least 1")
        if self.half and self.int8 is not None:
            raise ConfigError("--half and --int8 exclude each other: take one of them")
        if self.photos and (self.data is not None or self.int8 is not None):
            raise ConfigError("--photos have no masks, so they go neither with --data nor with --int8")
        if not self.photos and self.data is None and self.int8 is None:
            raise ConfigError(
                "an export is proved on pictures: name a labelled data set with --data, or photos with "
                "--photos"
            )
        return self._export()

    def _export(self) -> int:
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.terminal import Display, complain, print_json, write_json
        from pixelwise.export import SUFFIXES, kind_of
        from pixelwise.header import form_of
        from pixelwise.model_file import load_model
        from pixelwise.parity.pictures import unlabelled
        from pixelwise.parity.run import NotProved, export_proved

        out = self.out or self.model.with_suffix(SUFFIXES[self.to])
        if kind_of(out) != self.to:
            raise ConfigError(f"{out}: --to {self.to} writes {SUFFIXES[self.to]} files")
        network, header = load_model(self.model)
        precision = "int8" if self.int8 is not None else "half" if self.half else "float32"
        form = form_of(header, answer=self.answer, resize=self.resize, precision=precision)
        with Display() as display:
            if self.photos:
                proving, calibrating = unlabelled(self.photos, self.pictures), []
            else:
                proving, calibrating = self._labelled(header, display)
            try:
                report = export_proved(
                    network,
                    header,
                    out,
                    form,
                    proving,
                    source=self.model,
                    calibration=calibrating,
                    on_step=display.note,
                )
                failed = None
            except NotProved as error:
                report, failed = error.report, error
        beside = out.with_name(f"{out.name}.parity.json")
        write_json(beside, report.to_json())
        if self.json:
            print_json({"out": None if failed else str(out), "report": str(beside), **report.to_json()})
        else:
            self._print(report, out, beside, failed=failed is not None)
        for sentence in report.complaints:
            complain(sentence)
        if failed is not None:
            return 1
        if self.example is not None:
            self._print_example(out, header, form)
        return 0

    def _labelled(self, header: ModelHeader, display: Display) -> tuple[list[Picture], list[Picture]]:
        """Pictures to prove it on, and pictures that calibrate it, of the data sets that the flags name."""
        from pixelwise.data import open_dataset
        from pixelwise.evaluation import check_classes
        from pixelwise.parity.pictures import labelled

        opened: dict[Path, Dataset] = {}
        for folder in (self.data or self.int8, self.int8):
            if folder is not None and folder not in opened:
                opened[folder] = open_dataset(folder, self.config)
                for note in opened[folder].notes:
                    display.note(note)
                check_classes(header.classes, opened[folder].reader.classes)
        proving = labelled(opened[self.data or self.int8 or Path()], self.split, self.pictures)
        if self.int8 is None:
            return proving, []
        display.note(f"calibrating on {self.calibration} training pictures of {self.int8}")
        return proving, labelled(opened[self.int8], "train", self.calibration)

    def _print(self, report: Report, out: Path, beside: Path, *, failed: bool) -> None:
        from rich.console import Console

        from pixelwise.report.parity import parity_tables

        console = Console(highlight=False, stderr=self.example is not None)
        console.print(parity_tables(report))
        if failed:
            console.print("nothing was written but the report", markup=False)
        else:
            console.print(f"model   {out}", markup=False, soft_wrap=True)
        console.print(f"report  {beside}", markup=False, soft_wrap=True)

    def _print_example(self, file: Path, header: ModelHeader, form: Form) -> None:
        from pixelwise.export.examples import example

        print(example(self.example or "python", file, header, form), end="")
