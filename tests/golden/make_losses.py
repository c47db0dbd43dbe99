"""Writes `losses.json`: what published implementations say of drawn logits and masks.

    pip install --no-deps --target FOLDER segmentation-models-pytorch==0.6.0 kornia==0.9.0
    python tests/golden/make_losses.py FOLDER

The tests only read the result. Both packages are MIT or Apache-2.0; their loss modules need torch alone.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from drawn_losses import CLASSES, draw_logits, draw_target  # noqa: E402


def package(folder: Path, name: str) -> None:
    """Makes a package importable without running what its own start imports (torchvision and more)."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder / name)]
    sys.modules[name] = module


def main() -> None:
    """Computes the losses and their gradients."""
    folder = Path(sys.argv[1])
    package(folder, "segmentation_models_pytorch")
    smp = importlib.import_module("segmentation_models_pytorch.losses")
    package(folder, "kornia")
    package(folder, "kornia.losses")
    sys.modules["kornia.losses"].__path__ = [str(folder / "kornia" / "losses")]
    focal_loss = importlib.import_module("kornia.losses.focal").focal_loss

    settings = {"mode": "multiclass", "ignore_index": 255}
    smp_origin = "segmentation_models_pytorch 0.6.0"
    target = draw_target()
    counted = target != 255

    def focal(gamma: float):
        def loss(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
            # kornia sums over all classes' share of each pixel; ours is the mean over counted pixels.
            return focal_loss(logits, ids, alpha=None, gamma=gamma, ignore_index=255).sum() / counted.sum()

        return loss

    references = {
        "dice": (smp_origin, smp.DiceLoss(**settings)),
        "jaccard": (
            "segmentation_models_pytorch 0.6.0, without ignored pixels",
            smp.JaccardLoss("multiclass"),
        ),
        "tversky(alpha=0.3, beta=0.7)": (smp_origin, smp.TverskyLoss(**settings, alpha=0.3, beta=0.7)),
        "lovasz": (smp_origin, smp.LovaszLoss("multiclass", per_image=False, ignore_index=255)),
        "focal(gamma=2)": ("kornia 0.9.0", focal(2.0)),
        "focal(gamma=0.5)": ("kornia 0.9.0", focal(0.5)),
        "ce(smoothing=0.1)": (
            f"torch {torch.__version__}",
            torch.nn.CrossEntropyLoss(ignore_index=255, label_smoothing=0.1),
        ),
    }
    result = {}
    for expression, (origin, reference) in references.items():
        logits = draw_logits().requires_grad_()
        ids = target.clamp(max=CLASSES - 1) if "without" in origin else target
        loss = reference(logits, ids)
        loss.backward()
        result[expression] = {
            "origin": origin,
            "ignored_pixels": "without" not in origin,
            "value": loss.item(),
            "gradient": [round(v, 9) for v in logits.grad[0, :, 3, 4].tolist()],
            "gradient_norm": logits.grad.norm().item(),
        }
    (HERE / "losses.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
