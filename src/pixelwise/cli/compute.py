"""What `predict`, `evaluate` and `video` share: how the network is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pixelwise.config import PredictConfig

if TYPE_CHECKING:
    from pixelwise.segmenter import Segmenter


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What computes the network."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    backend: Literal["auto", "torch", "onnxruntime", "openvino", "tensorrt"] | None = None
    """What computes; where not given torch for a run's model file, for an export its usual runtime; tensorrt
    needs a GPU; auto takes the fastest that is installed and remembers what it measured."""
    half: bool = False
    """Compute in 16-bit numbers, where processor or GPU do: up to three times as fast, few pixels differ."""
    compile: bool = False
    """Compile torch's work; takes a minute, and pays on GPUs at most."""

    def load(self, model: Path, prediction: PredictConfig, *, batch_size: int = 8, many: bool) -> Segmenter:
        """Opens a model; see `pixelwise.load`."""
        from pixelwise.loading import load

        return load(
            model,
            device=self.device,
            backend=self.backend,
            half=self.half,
            compiled=self.compile,
            batch_size=batch_size,
            many=many,
            config=prediction,
        )


def facts(segmenter: Segmenter) -> Iterator[str]:
    """What people should know before it computes: what was chosen, and what was asked for costs."""
    if segmenter.choice is not None:
        yield str(segmenter.choice)
    if segmenter.predictor.config.tta:
        yield f"test-time augmentation: {segmenter.predictor.views.cost()}"
