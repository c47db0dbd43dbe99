"""TorchScript on the processor: for comparing what was just exported, never for files of strangers."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import torch


class TorchScriptBackend:
    """Runs an archive that `export.torchscript` wrote.

    Args:
        archive: Its bytes.
    """

    stride = 1

    def __init__(self, archive: bytes) -> None:
        self._program = torch.jit.load(io.BytesIO(archive))

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """`(N, H, W, 3) uint8` RGB in, the program's answer out."""
        with torch.inference_mode():
            return self._program(torch.from_numpy(np.ascontiguousarray(images))).numpy()
