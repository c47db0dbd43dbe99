"""An export from network to proved file: written beside its place, compared, and put there if it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from pixelwise.errors import ConfigError, DataError
from pixelwise.export import Kind
from pixelwise.export.quantise import quantised_onnx, quantised_openvino
from pixelwise.export.sensitivity import choose, sensitivity
from pixelwise.export.write import kind_of, onnx_of, save, staged, write
from pixelwise.graph import capture, simplify
from pixelwise.header import Form, ModelHeader
from pixelwise.parity.compare import Reference, Subject, compare
from pixelwise.parity.pictures import Picture
from pixelwise.parity.prove import open_all, prove
from pixelwise.parity.report import LOST_MIOU, Report


class NotProved(Exception):
    """An export is beyond the limits; its report says how far."""

    def __init__(self, report: Report) -> None:
        super().__init__("; ".join(report.complaints))
        self.report = report


def export_proved(
    network: torch.nn.Module,
    header: ModelHeader,
    path: Path,
    form: Form,
    pictures: Sequence[Picture],
    *,
    source: Path,
    calibration: Sequence[Picture] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Exports a network and proves the file; only one that holds takes its place.

    Args:
        network: On the processor.
        header: What is said of it.
        path: The file to be; its ending says the kind.
        form: What it answers.
        pictures: To compare on.
        source: The network's model file.
        calibration: Pictures that int8 is calibrated on; none of them should be among `pictures`.
        on_step: Hears in a few words what is done next.

    Raises:
        NotProved: It is beyond the limits; nothing was written.
        ConfigError: Another ending, or a form that this kind of file does not have.
        BackendError: A package is not installed, or a runtime cannot run the model.
        DataError: The disk is full, or the folder cannot be written.
    """
    kind = kind_of(path)
    if kind == "torchscript" and form.precision != "float32":
        raise ConfigError(
            f"TorchScript exports are float32, not {form.precision}: take --to onnx or openvino"
        )
    subject = Subject(network, simplify(capture(network)), header, form)
    kept: Sequence[str] = ()
    with staged(path) as folder:
        file = folder / path.name
        on_step(f"writing {path.name}")
        if form.precision == "int8":
            kept = _quantised(subject, kind, file, calibration, on_step)
        else:
            write(subject.graph, kind, file, header, form)
        report = prove(file, kind, subject, pictures, source=source, kept=kept, on_step=on_step)
        if report.complaints:
            raise NotProved(report)
    return report


def _quantised(
    subject: Subject,
    kind: Kind,
    file: Path,
    calibration: Sequence[Picture],
    on_step: Callable[[str], None],
) -> list[str]:
    """Writes an int8 file that loses little on the pictures of its calibration; which layers stay in float.

    What it loses is judged at the network's size, by mIoU, on the pictures that calibrated it; the proof
    takes others.
    """
    graph, header, form = subject.graph, subject.header, subject.form
    pictures = [picture.at(header.size_policy.size) for picture in calibration]
    images = [picture.image for picture in pictures]
    model = onnx_of(graph, header, form, kind)
    quantise = quantised_onnx if kind == "onnx" else quantised_openvino
    reference = Reference(subject)

    def build(kept: Sequence[str]) -> Any:
        on_step(f"quantising, {len(kept)} layers left in float" if kept else "quantising")
        return quantise(model, images, keep=kept)

    def harm(quantised: Any) -> float:
        save(quantised, kind, file, header, form)
        name, answer = next(iter(open_all(file, kind).items()))
        found = compare({name: answer}, reference, pictures, name="network", size=None)[name]
        if found.miou is None:
            raise DataError("no pixel of the calibration pictures is labelled, so what int8 loses is unknown")
        return found.miou[0] - found.miou[1]

    order = [row.value for row in sensitivity(graph, images[:4])]
    chosen = choose(order, build, harm, limit=LOST_MIOU / 2)
    save(chosen.model, kind, file, header, form)
    layers = {node.output: node.layer or node.output for node in graph.nodes}
    return [layers[value] for value in chosen.kept]
