"""Writes `published/*.tsv` and `published/*.npz`: names, shapes and answers of published implementations.

    python tests/golden/make_published.py torchvision      # 0.29, its Python part alone; BSD-3-Clause
    python tests/golden/make_published.py pidnet FOLDER    # a checkout of github.com/XuJiacong/PIDNet; MIT

The tests only read the result. Weights are drawn from their names, so none are kept.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from drawn_weights import draw_pictures, draw_published  # noqa: E402

CLASSES = 5
EVERY = 5
"""Of the rows and columns of an answer, one in so many is kept."""


def write(name: str, network: nn.Module, size: tuple[int, int], answers: list[str]) -> None:
    """The network's table, and what it answers with drawn weights to standardised drawn pictures."""
    state = network.state_dict()
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    lines = [f"{key}\t{' '.join(map(str, shape))}" for key, shape in shapes.items()]
    folder = HERE / "published"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.tsv").write_text("\n".join([*lines, ""]))
    network.load_state_dict({key: torch.from_numpy(a) for key, a in draw_published(shapes).items()})
    pictures = torch.from_numpy(draw_pictures(2, *size)).permute(0, 3, 1, 2)
    mean, deviation = (
        torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        found = network.eval()((pictures / 255 - mean) / deviation)
    maps: list[Tensor] = list(found.values()) if isinstance(found, Mapping) else list(found)
    thinned = [m[:, :, ::EVERY, ::EVERY].numpy() for m in maps]
    kept: dict[str, Any] = dict(zip(answers, thinned, strict=True))
    parameters = sum(p.numel() for p in network.parameters())
    np.savez_compressed(folder / f"{name}.npz", parameters=parameters, **kept)


def torchvision() -> None:
    """LR-ASPP and the two encoders, without torchvision's compiled part."""
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    models = importlib.import_module("torchvision.models")
    segmentation = importlib.import_module("torchvision.models.segmentation")
    lraspp = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES)
    write("lraspp", lraspp, (64, 96), ["logits"])
    for name in ("mobilenet_v3_large", "mobilenet_v3_small"):
        network = getattr(models, name)(weights=None)
        write(name, _Listed(network), (96, 160), ["deepest"])


class _Listed(nn.Module):
    """A classifier up to its pooling, under its own names."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = network.features, network.classifier

    def forward(self, x: Tensor) -> list[Tensor]:
        """The deepest map."""
        return [self.features(x)]  # pyright: ignore[reportCallIssue]


def pidnet(folder: Path) -> None:
    """PIDNet-S with its heads; the sides are multiples of 8, and of nothing larger."""
    sys.path.insert(0, str(folder))
    network = importlib.import_module("models.pidnet").PIDNet(
        m=2, n=3, num_classes=CLASSES, planes=32, ppm_planes=96, head_planes=128, augment=True
    )
    plain = network.forward

    def forward(x: Tensor) -> list[Tensor]:
        answer = plain(x)
        return answer[0] if isinstance(answer, tuple) else answer

    network.forward = forward
    write("pidnet-s", network, (136, 200), ["semantic", "logits", "boundary"])


if __name__ == "__main__":
    if sys.argv[1:] == ["torchvision"]:
        torchvision()
    else:
        pidnet(Path(sys.argv[2]))
