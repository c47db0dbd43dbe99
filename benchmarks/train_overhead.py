"""How much of training is not the network: waiting for pictures, augmentation, validation?

For every network that `pixelwise train` knows, in a process of its own and with its parts, in interleaved
rounds (the giants in a lighter form, `LIGHT`):

- plain: steps on batches from the loader, without augmentation;
- augmented: the same with the augmentation of the recipe `pets`;
- waiting: the share of the plain steps' time that went into waiting for the loader;
- validation: a pass with loss and confusion matrix, beside the bare forward passes over the same batches.

    python benchmarks/train_overhead.py                           # 15 minutes on two cores
    python benchmarks/train_overhead.py --networks unet-xception --batch 32
    python benchmarks/train_overhead.py --quick                   # does the script work? No JSON

Writes `benchmarks/results/train_overhead-DATE.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import command, commit, hardware, spread

HERE = Path(__file__).resolve().parent

# Written before the measurement.
EXPECTED = {
    "waiting": "below 0.02 for all: a batch comes from the cache in a few ms",
    "augmented": "0.93 to 0.96 for unet-xception at 160x160 and batch 32, whose step takes a second; more "
    "for slower networks. Required: 0.90",
    "validation": "1.03 to 1.08: cross-entropy, argmax and the confusion matrix beside a forward pass. "
    "Required: 1.10",
}

LIGHT = {
    "fcn-32s": ("head=light",),
    "fcn-16s": ("head=light",),
    "fcn-8s": ("head=light",),
    "unet": ("width=16",),
}
"""Arguments that keep the classic giants within a minute a round; heavier ones have less overhead still."""


def main() -> None:
    """Measures each network in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=[], metavar="NAME", help="all, unless named")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.size, options.batch, options.steps, options.rounds = 64, 2, 1, 1
    if options.only:
        print(json.dumps(measure(options)))
        return
    from pixelwise.models import MODELS

    rows = []
    for name in options.networks or MODELS:
        words = [sys.executable, __file__, "--only", name]
        for flag in ("size", "batch", "steps", "rounds"):
            words += [f"--{flag}", str(getattr(options, flag))]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(line(rows[-1]), flush=True)
    if options.quick and options.out is None:
        return
    result = {
        "question": __doc__.splitlines()[0] if __doc__ else "",
        "date": str(datetime.date.today()),
        "command": command(),
        "expected": EXPECTED,
        **commit(),
        "hardware": hardware(),
        "load_average_at_the_end": os.getloadavg(),
        "size": options.size,
        "batch": options.batch,
        "networks": rows,
    }
    path = options.out or HERE / "results" / f"train_overhead-{datetime.date.today()}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"wrote {path}")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One network in this process."""
    from pixelwise.torch_runtime import keep_large_blocks

    keep_large_blocks()  # before torch allocates anything
    from pixelwise.config import AugmentConfig, DataConfig, TrainConfig
    from pixelwise.data.drawn import draw_dataset
    from pixelwise.training.events import LogListener
    from pixelwise.training.launch import Launch
    from pixelwise.training.parts import Parts

    recipe = AugmentConfig(
        flip=True, scale=(0.6, 1.8), rotate=15.0, shift=0.1, colour=0.4, blur=1.0, cutout=0.1
    )
    with tempfile.TemporaryDirectory() as folder:
        pictures = (options.steps + 1) * options.batch
        data = draw_dataset(Path(folder) / "data", pictures=2 * pictures, size=(options.size, options.size))
        config = TrainConfig(
            model=options.only,
            model_args=LIGHT.get(options.only, ()),
            size=(options.size, options.size),
            batch_size=options.batch,
            data=DataConfig(val_share=0.5, cache_dir=Path(folder) / "cache"),
        )
        parts = Parts.build(data, config, LogListener(), launch=Launch())
        turns = Turns(parts, options.steps)
        turns.train(AugmentConfig())  # warm up
        rounds = [
            {
                "plain": turns.train(AugmentConfig()),
                "augmented": turns.train(recipe),
                "validation": turns.validate(),
            }
            for _ in range(options.rounds)
        ]
    plain = [turn["plain"]["images_per_second"] for turn in rounds]
    augmented = [turn["augmented"]["images_per_second"] for turn in rounds]
    return {
        "name": options.only,
        "arguments": list(config.model_args),
        "images_per_second": spread(plain),
        "augmented_images_per_second": spread(augmented),
        "augmented_share": spread([a / p for a, p in zip(augmented, plain, strict=True)]),
        "wait_share": spread([turn["plain"]["wait_share"] for turn in rounds]),
        "augmented_wait_share": spread([turn["augmented"]["wait_share"] for turn in rounds]),
        "validation_over_forward": spread(
            [turn["validation"]["validation"] / turn["validation"]["forward"] for turn in rounds]
        ),
        "rounds": rounds,
    }


class Turns:
    """The network with everything around it, a few steps at a time."""

    def __init__(self, parts: Any, steps: int) -> None:
        from pixelwise.training.step import Stepper

        self.parts, self.steps = parts, steps
        self.stepper = Stepper(
            fabric=parts.fabric,
            engine=parts.engine,
            optimizer=parts.fabric.setup_optimizers(parts.optimizer),
            objective=parts.objective,
            micro_batch=None,
            clip_norm=None,
        )

    def train(self, augmentation: Any) -> dict[str, float]:
        """A turn of steps, as the loop does them, but for the first, which waits for the loader to begin."""
        import torch

        from pixelwise.augment import augment

        self.stepper.engine.train()
        with self._loader(self.parts.train) as loader:
            start = waited = 0.0
            done = 0
            for number, batch in enumerate(loader):
                if number == 1:
                    start, waited = time.perf_counter(), loader.wait_seconds
                images, masks = augment(
                    torch.from_numpy(batch.images).to(self.parts.fabric.device),
                    torch.from_numpy(batch.masks).to(self.parts.fabric.device),
                    batch.indices.tolist(),
                    config=augmentation,
                    seed=0,
                    epoch=number,
                )
                self.stepper.backward(images, masks, seed=(0, number))
                self.stepper.step()
                done += len(batch) if number else 0
            seconds = time.perf_counter() - start
            return {
                "images_per_second": done / seconds,
                "wait_share": (loader.wait_seconds - waited) / seconds,
            }

    def validate(self) -> dict[str, float]:
        """Seconds of a validation pass, and of the bare forward passes over the same batches."""
        import torch

        from pixelwise.training.validate import validate

        engine = self.stepper.engine
        with self._loader(self.parts.val) as loader:
            batches = list(loader)
        device = self.parts.fabric.device
        inputs = [torch.from_numpy(b.images).to(device).permute(0, 3, 1, 2).float() for b in batches]
        engine.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for images in inputs:
                engine(images)
        if device.type == "cuda":
            torch.cuda.synchronize()
        forward = time.perf_counter() - start
        start = time.perf_counter()
        with self._loader(self.parts.val) as loader:
            validate(
                engine,
                loader,
                num_classes=len(self.parts.dataset.classes),
                objective=self.stepper.objective,
                device=self.parts.fabric.device,
                on_batch=lambda _: None,
            )
        return {"forward": forward, "validation": time.perf_counter() - start}

    def _loader(self, side: Any) -> Any:
        from pixelwise.data.loader import BatchLoader

        batch = self.parts.config.batch_size
        return BatchLoader(side, range((self.steps + 1) * batch), batch_size=batch, workers=2)


def line(row: dict[str, Any]) -> str:
    """A row of the table, as Markdown."""
    cells = [
        f"`{' '.join([row['name'], *row['arguments']])}`",
        f"{row['images_per_second']['median']:.1f}",
        f"{100 * row['wait_share']['median']:.1f}%",
        f"{100 * row['augmented_share']['median']:.0f}%",
        f"{row['validation_over_forward']['median']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
