"""`pixelwise demo`: the whole way, on pictures that it draws itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError

PICTURES = 360
SIZE = (96, 96)
PHOTOS = 6


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Draw a small data set, train on it, evaluate, predict: under three minutes on two cores."""

    out: Path = Path("demo")
    """Folder for everything; an earlier demo in it is replaced."""
    epochs: int = 16
    """Passes over the training pictures."""
    seed: int = 0
    """Of the drawings and the training."""

    def run(self) -> int:
        """Runs the four steps and names the files to look at; 0."""
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()

        from pixelwise.cli.evaluate import Evaluate
        from pixelwise.cli.predict import Predict
        from pixelwise.cli.terminal import Display
        from pixelwise.cli.train import Train
        from pixelwise.config import AugmentConfig, DataConfig, TrainConfig
        from pixelwise.data.drawn import draw_dataset

        self._clear()
        data, run = self.out / "data", self.out / "run"
        best = run / "best.safetensors"
        with Display() as display:
            display.note(f"1. drawing {PICTURES} labelled scenes into {data}")
            draw_dataset(data, pictures=PICTURES, size=SIZE, seed=self.seed)
        config = TrainConfig(
            size=SIZE,
            epochs=self.epochs,
            batch_size=8,
            schedule="cosine",
            bn_momentum=0.1,  # few steps: running statistics must not trail
            augment=AugmentConfig(flip=True, colour=0.2),
            data=DataConfig(cache_dir=self.out / "cache"),
            seed=self.seed,
        )
        print("2. training")
        Train(data=data, out=run, config=config).run()
        print("3. evaluating at each picture's own size")
        Evaluate(model=best, data=data, out=self.out / "scores.json").run()
        print("4. predicting, worst pictures first")
        predictions = self.out / "predictions"
        Predict(model=best, photos=(str(data),), compare=True, worst=PHOTOS, out=str(predictions)).run()
        print(f"\nLook at\n  {predictions / 'compare' / 'worst.png'}")
        print(f"  {run / 'curves.png'}\n  {self.out / 'scores.json'}")
        print("then try your own pictures:")
        print("  pixelwise train DATA        with DATA/images and DATA/masks")
        print(f"  pixelwise predict {best} PHOTO")
        return 0

    def _clear(self) -> None:
        """Removes an earlier demo, and nothing else: a folder that is none of ours is left alone."""
        if not self.out.exists():
            return
        ours = {"data", "run", "cache", "scores.json", "predictions"}
        strangers = {p.name for p in self.out.iterdir()} - ours
        if strangers:
            raise ConfigError(
                f"{self.out} holds {', '.join(sorted(strangers)[:3])}, which no demo wrote: "
                "choose another folder with --out"
            )
        shutil.rmtree(self.out)
