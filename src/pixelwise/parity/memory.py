"""A process of its own that opens a model, answers twice and prints how much memory that took at most.

python -m pixelwise.parity.memory FILE BACKEND HEIGHT WIDTH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from pixelwise.backends import Backend


def main(path: str, backend: str, height: str, width: str) -> None:
    """Prints `{"peak": bytes}`, or null where the system does not tell."""
    opened = _open(Path(path), backend)
    image = np.zeros((1, int(height), int(width), 3), np.uint8)
    for _ in range(2):
        opened.logits(image)
    print(json.dumps({"peak": _peak()}))  # noqa: T201


def _open(path: Path, backend: str) -> Backend:
    match backend:
        case "onnxruntime" | "openvino":
            from pixelwise.exported import open_file

            return open_file(path, runtime=backend)[0]
        case "torchscript":
            from pixelwise.backends.torchscript import TorchScriptBackend

            return TorchScriptBackend(path.read_bytes())
        case _:
            import torch

            from pixelwise.backends.torch import TorchBackend
            from pixelwise.model_file import load_model

            return TorchBackend(load_model(path)[0], torch.device("cpu"))


def _peak() -> int | None:
    # Not getrusage: on Linux it counts what the process was before it became this program.
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024  # it says kB and means KiB


if __name__ == "__main__":
    main(*sys.argv[1:])
