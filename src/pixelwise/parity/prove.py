"""The proof of an exported file: compared in every runtime that reads it, timed, traced where it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pixelwise.backends.runtimes import first_installed, installed
from pixelwise.export import Kind
from pixelwise.export.inside import Values, inside_onnx, inside_openvino, opset_of
from pixelwise.exported import RUNTIMES, open_file
from pixelwise.parity.compare import Answer, Reference, Subject, compare
from pixelwise.parity.pictures import Picture, sizes
from pixelwise.parity.report import Compared, Report, complaint
from pixelwise.parity.speed import peak_memory, speeds
from pixelwise.parity.start import Start, start

EAGER = "torch eager"
"""The name of the network itself in a table of speeds."""


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
    on_step(f"comparing in {' and '.join(answers)}")
    differences = [
        compare(answers, reference, pictures, name=label, size=wanted)
        for label, wanted in sizes(size).items()
    ]
    compared: list[Compared] = []
    for name in answers:
        found = tuple(at[name] for at in differences)
        broken = any(complaint(name, difference, subject.form.precision) for difference in found)
        begins = _start(file, kind, subject, pictures[0].at(size)) if broken else None
        compared.append(Compared(backend=name, differences=found, start=begins))
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
    )


def open_all(file: Path, kind: Kind) -> dict[str, Answer]:
    """What answers for a file, by the name of each installed runtime that reads it."""
    if kind == "torchscript":
        from pixelwise.backends.torchscript import TorchScriptBackend

        return {"torchscript": TorchScriptBackend(file.read_bytes()).logits}
    able = RUNTIMES[file.suffix]
    names = installed(able) or [first_installed(able)]
    return {name: open_file(file, runtime=name)[0].logits for name in names}


def _start(file: Path, kind: Kind, subject: Subject, picture: Picture) -> Start | None:
    """Where a difference starts; None for TorchScript, whose values cannot be had from outside."""
    names = [node.output for node in subject.graph.nodes]
    images = np.stack([picture.image])
    found: Values
    match kind:
        case "onnx":
            found = inside_onnx(file.read_bytes(), names, images)
        case "openvino":
            found = inside_openvino(file, names, images)
        case _:
            return None
    return start(subject.graph, picture.image, found, subject.form.precision)
