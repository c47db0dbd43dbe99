"""The proof of an exported file: compared in every runtime that reads it, timed, traced where it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pixelwise.backends.openvino import has_bfloat16
from pixelwise.backends.runtimes import ON_PROCESSOR, Runtime, first_installed, installed
from pixelwise.export import Kind
from pixelwise.export.inside import Values, inside_onnx, inside_openvino, inside_torchscript, opset_of
from pixelwise.exported import RUNTIMES, open_file
from pixelwise.header import Precision
from pixelwise.parity.compare import Answer, Reference, Subject, compare
from pixelwise.parity.pictures import Picture, sizes
from pixelwise.parity.report import Compared, Report
from pixelwise.parity.speed import peak_memory, speeds
from pixelwise.parity.start import Start, start

EAGER = "torch eager"
"""The name of the network itself in a table of speeds."""

HALF = "openvino --half"
"""The name of OpenVINO computing in bfloat16, as `predict --half` does."""


def prove(
    file: Path,
    kind: Kind,
    subject: Subject,
    pictures: Sequence[Picture],
    *,
    source: Path,
    kept: Sequence[str] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Compares an exported file with its network and times it.

    Args:
        file: What was exported; of OpenVINO the `.xml`.
        kind: What kind of file that is.
        subject: The network, and what the file answers.
        pictures: To compare on; their masks give the mIoU.
        source: The network's model file.
        kept: Layers that int8 left in float.
        on_step: Hears in a few words what is done next.

    Raises:
        BackendError: No runtime for the file is installed, or one cannot run it.
    """
    reference = Reference(subject)
    size = subject.header.size_policy.size
    answers = open_all(file, kind)
    in_half, left_out = _open_half(file, answers)
    compared_answers = answers | in_half
    on_step(f"comparing in {' and '.join(compared_answers)}")
    differences = [
        compare(compared_answers, reference, pictures, name=label, size=wanted)
        for label, wanted in sizes(size).items()
    ]
    compared: list[Compared] = []
    for name in compared_answers:
        found = tuple(at[name] for at in differences)
        half = name in in_half
        row = Compared(
            backend=name,
            precision=_precision(subject.form.precision, half=half),
            differences=found,
            on_request=half,
        )
        if row.broken:
            row = replace(row, start=_start(file, kind, subject, pictures[0].at(size), half=half))
        compared.append(row)
    on_step("measuring memory")
    files = {EAGER: source} | dict.fromkeys(answers, file)
    memory = {name: peak_memory(path, name, size) for name, path in files.items()}
    on_step("measuring speed")
    contestants = {EAGER: reference.backend.logits, **answers}
    return Report(
        form=subject.form,
        file_bytes=sum(path.stat().st_size for path in (file, file.with_suffix(".bin")) if path.is_file()),
        opset=opset_of(file.read_bytes()) if kind == "onnx" else None,
        compared=tuple(compared),
        speeds=tuple(speeds(contestants, pictures[0].at(size).image, memory)),
        kept=tuple(kept),
        left_out=tuple(left_out),
    )


def open_all(file: Path, kind: Kind) -> dict[str, Answer]:
    """What answers for a file, by the name of each installed runtime on the processor that reads it."""
    if kind == "torchscript":
        from pixelwise.backends.torchscript import TorchScriptBackend

        return {"torchscript": TorchScriptBackend(file.read_bytes()).logits}
    able: list[Runtime] = [name for name in ON_PROCESSOR if name in RUNTIMES[file.suffix]]
    names = installed(able) or [first_installed(able)]
    return {name: open_file(file, runtime=name)[0].logits for name in names}


def _open_half(file: Path, answers: Mapping[str, Answer]) -> tuple[dict[str, Answer], list[str]]:
    """What answers as OpenVINO does under `predict --half`; where nothing can, a sentence why."""
    if "openvino" not in answers:
        return {}, []
    if not has_bfloat16():
        return {}, [f"{HALF} was not compared: this processor does not multiply bfloat16"]
    return {HALF: open_file(file, runtime="openvino", half=True)[0].logits}, []


def _precision(precision: Precision, *, half: bool) -> Precision:
    """Whose limit holds; 8-bit layers stay as they are in half precision, and so does what they may lose."""
    return "half" if half and precision == "float32" else precision


def _start(file: Path, kind: Kind, subject: Subject, picture: Picture, *, half: bool) -> Start | None:
    """Where a difference starts."""
    names = [node.output for node in subject.graph.nodes]
    images = np.stack([picture.image])
    found: Values
    if half or kind == "openvino":
        found = inside_openvino(file, names, images, half=half)
    elif kind == "onnx":
        found = inside_onnx(file.read_bytes(), names, images)
    else:
        found = inside_torchscript(file.read_bytes(), names, images)
    return start(subject.graph, picture.image, found, _precision(subject.form.precision, half=half))
