"""Ctrl-C after models were opened and let go of again: an interrupt, and not a crash of the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from drawn_networks import build
from pixelwise.graph import capture, simplify
from pixelwise.graph.onnx import to_onnx

PROGRAM = """
import gc, signal, sys
from pathlib import Path
from pixelwise.backends.openvino import OpenVinoBackend
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let what they put behind ignore it
model = Path(sys.argv[1]).read_bytes()
first = OpenVinoBackend(model, threads=1)
second = OpenVinoBackend(model, threads=1)
del first
gc.collect()
del second
gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_after_models_that_overlapped(tmp_path: Path) -> None:
    """The first is given up before the second: with a Core for each, OpenVINO left a freed signal stack."""
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(simplify(capture(build("unet-xception")))).SerializeToString())
    command = [sys.executable, "-c", PROGRAM, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode != -signal.SIGSEGV
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
