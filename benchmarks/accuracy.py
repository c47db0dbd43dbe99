"""How accurate does each network get with the same work? CamVid, the same settings, the same processor time.

    python benchmarks/accuracy.py CAMVID --out runs/accuracy --weights MOBILENETV2.pth [--minutes 20]
    python benchmarks/accuracy.py CAMVID --out runs/accuracy --only pidnet-s,lraspp      # some of them
    python benchmarks/accuracy.py CAMVID --out runs/accuracy --epochs 120 --device cuda  # as long as it takes
    python benchmarks/accuracy.py CAMVID --out runs/accuracy --weights models/camvid.safetensors --only NAMES

Every network trains for the same processor time of one thread: how many epochs that makes is found by
timing a few steps, and the learning rate falls to zero over them. So this answers what an afternoon's machine
gets out of each, not what each could come to: larger networks see fewer pictures. With `--epochs` all see the
same.

Pictures of 360x480 in crops of 256x320, AdamW, poly schedule, cross-entropy and Dice, a moving average of
the weights. Whose encoder has ImageNet weights in a file (MobileNetV2) starts from them, all others from
drawn ones; which it is stands in each row. With a model file as `--weights` it starts from the encoder that
this network was trained with, so that decoders are compared when the encoder has come to its end. The figure
is mIoU of the 11 classes on the 101 validation pictures at their own size, with a 95% bootstrap interval over
pictures; these chose the best epoch too.

A network that is done has a row in `OUT/rows` and is not trained again; one that was stopped goes on. All
rows together are written to `results/accuracy-camvid-DATE.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from machine import commit, write_result

from pixelwise.config import AugmentConfig, DataConfig, TrainConfig

if TYPE_CHECKING:
    from pixelwise.report.history import HistoryRow
    from pixelwise.training import StepEvent

SIZE, CROP = (360, 480), (256, 320)
BATCH = 12
TRAINING_PICTURES = 367

BESIDE = 1.25
"""What reading, augmenting and validating add to the steps, about."""


@dataclass(frozen=True)
class Case:
    """A network to train.

    Attributes:
        network: A name of `pixelwise models`.
        arguments: Of it.
        pretrained: Whether its encoder has ImageNet weights here.
        lr: Learning rate; attention needs a lower one.
    """

    network: str
    arguments: tuple[str, ...] = ()
    pretrained: bool = False
    lr: float = 1e-3


ON_MOBILENET = ("encoder=mobilenet_v2",)

CASES: dict[str, Case] = {
    "deeplabv3plus": Case("deeplabv3plus", ("output_stride=16",), pretrained=True),
    "lraspp on mobilenet_v2": Case("lraspp", ON_MOBILENET, pretrained=True),
    "fpn on mobilenet_v2": Case("fpn", (*ON_MOBILENET, "width=64", "head_width=64"), pretrained=True),
    "unet on mobilenet_v2": Case("unet", (*ON_MOBILENET, "batch_norm=true"), pretrained=True),
    "unet on mobilenet_v2 without norms": Case("unet", (*ON_MOBILENET, "batch_norm=false"), pretrained=True),
    "pidnet-s": Case("pidnet-s"),
    "lraspp": Case("lraspp"),
    "segformer-b0": Case("segformer-b0", lr=3e-4),
    "unet-xception": Case("unet-xception"),
    "mobilenet-segnet": Case("mobilenet-segnet"),
    "unet on half a resnet18": Case(
        "unet",
        (
            "encoder=resnet18",
            "encoder.alpha=0.5",
            "native_stride=4",
            "upsampling=bilinear",
            "batch_norm=true",
        ),
    ),
    "fpn": Case("fpn"),
    "segformer-b1": Case("segformer-b1", lr=3e-4),
    "upernet": Case("upernet"),
    "segnet": Case("segnet"),
    "unet": Case("unet"),
    "segformer-b2": Case("segformer-b2", lr=3e-4),
    "fcn-8s": Case("fcn-8s"),
}
"""In the order in which they are trained: those that people ask for on a processor first."""


def main() -> None:
    """Trains what has no row yet, each in a process of its own, and writes all rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="CamVid's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--weights", default="imagenet", help="file of MobileNetV2's weights")
    parser.add_argument("--minutes", type=float, default=20, help="processor time of each network")
    parser.add_argument("--epochs", type=int, help="the same for each, instead of a time")
    parser.add_argument("--only", default=",".join(CASES), help="names, with commas")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names: list[str] = options.only.split(",")
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"no network {', '.join(unknown)}; there are {', '.join(CASES)}")
    if options.here:
        print(json.dumps(_train(options, names[0])))
        return
    rows = options.out / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    for name in names:
        row = rows / f"{_slug(_called(name, options.weights))}.json"
        if row.exists():
            continue
        words = [sys.executable, __file__, *sys.argv[1:], "--only", name, "--here"]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        row.write_text(done.stdout.splitlines()[-1] + "\n")
        print(done.stdout.splitlines()[-1], flush=True)
    found = [json.loads(path.read_text()) for path in sorted(rows.glob("*.json"))]
    write_result(
        "accuracy-camvid",
        question="mIoU on CamVid's validation pictures after the same work for each network",
        size=SIZE,
        crop=CROP,
        batch_size=BATCH,
        networks=sorted(found, key=lambda row: -row["miou"]),
    )


def _before(name: str, weights: str) -> str:
    """Which network trained the encoder that this one starts from, if one did."""
    path = Path(weights)
    return path.stem if CASES[name].pretrained and path.suffix == ".safetensors" else ""


def _called(name: str, weights: str) -> str:
    """Its name in the result."""
    before = _before(name, weights)
    return f"{name} from {before}" if before else name


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _train(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Trains one network in this process and measures its best model."""
    from pixelwise import torch_runtime, training
    from pixelwise.data import open_dataset
    from pixelwise.evaluation import evaluate
    from pixelwise.loading import load

    torch_runtime.keep_large_blocks()
    import torch

    if options.device == "cpu":
        torch.set_num_threads(1)
    case, before, called = CASES[name], _before(name, options.weights), _called(name, options.weights)
    out = options.out / _slug(called)
    spending = _Spending(options.out / f"{_slug(called)}.spent.json")
    if (out / "config.json").exists():
        run = training.resume(out, listener=spending)
    else:
        epochs = options.epochs or _epochs_in(60 * options.minutes, case)
        config = _config(case, epochs, options.weights, options.device)
        run = training.train(options.data, config, out=out, listener=spending)
    minutes = spending.seconds / 60
    segmenter = load(run.best)
    dataset = open_dataset(options.data, DataConfig())
    result = evaluate(segmenter.predictor, dataset.reader, dataset.indices("val"))
    interval = result.miou_interval
    return {
        "name": called,
        "network": case.network,
        "arguments": case.arguments,
        "weights": f"encoder of {before}" if before else "ImageNet" if case.pretrained else "drawn",
        "miou": round(result.metrics.miou, 4),
        "interval": None if interval is None else [round(interval.low, 4), round(interval.high, 4)],
        "iou": {
            of: round(iou, 4) for of, iou in zip(result.metrics.classes, result.metrics.iou, strict=True)
        },
        "cpu_minutes": round(minutes, 1) if options.device == "cpu" else None,
        "device": options.device,
        "epochs": run.history[-1].epoch,
        "best_epoch": segmenter.provenance["epoch"],
        "steps": run.history[-1].step,
        "lr": case.lr,
        "parameters": sum(p.numel() for p in segmenter.network.parameters()),
        **commit(),
    }


class _Spending:
    """Writes down what processor time was spent, so that a run that goes on counts all of it."""

    def __init__(self, file: Path) -> None:
        self._file, self._begin = file, time.process_time()
        self._before = json.loads(file.read_text()) if file.exists() else 0.0

    @property
    def seconds(self) -> float:
        """In all."""
        return self._before + time.process_time() - self._begin

    def note(self, text: str) -> None:
        """See `Listener`."""

    def warning(self, text: str) -> None:
        """See `Listener`."""
        print(text, file=sys.stderr, flush=True)

    def work(self, text: str, done: int, total: int) -> None:
        """See `Listener`."""

    def step(self, event: StepEvent) -> None:
        """See `Listener`."""

    def epoch(self, row: HistoryRow, epochs: int, *, best: bool) -> None:
        """See `Listener`."""
        self._file.write_text(json.dumps(self.seconds))
        print(f"epoch {row.epoch} of {epochs}: {row.val_miou:.4f}, {self.seconds:.0f} s", file=sys.stderr)


def _config(case: Case, epochs: int, weights: str, device: Literal["cpu", "cuda"]) -> TrainConfig:
    steps = epochs * -(-TRAINING_PICTURES // BATCH)
    return TrainConfig(
        model=case.network,
        model_args=case.arguments,
        weights=weights if case.pretrained else "",
        size=SIZE,
        epochs=epochs,
        batch_size=BATCH,
        optimizer="adamw",
        lr=case.lr,
        weight_decay=0.05,
        schedule="poly",
        warmup_steps=steps // 20,
        loss="ce + dice",
        encoder_lr=0.3 if case.pretrained else 1.0,
        clip_norm=5.0,
        bn_momentum=0.05,
        ema=max(0.9, 1 - 10 / steps),  # over a tenth of the steps, whatever their number
        validate_every=max(1, epochs // 5),
        augment=AugmentConfig(
            flip=True, scale=(0.6, 1.8), crop=CROP, crop_max_share=0.75, colour=0.4, blur=1.0, mix=0.3
        ),
        device=device,
        precision="float32" if device == "cpu" else "auto",
        checkpoint_seconds=120,
    )


def _epochs_in(seconds: float, case: Case) -> int:
    """How many epochs that processor time makes: at least one."""
    import torch

    from pixelwise.losses import cross_entropy
    from pixelwise.models import build_model
    from pixelwise.models.auxiliary import forward_with_auxiliary
    from pixelwise.nn.arguments import parse_arguments

    network = build_model(case.network, num_classes=11, arguments=parse_arguments(case.arguments), seed=0)
    network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    pictures = torch.randint(0, 256, (BATCH, 3, *CROP)).float().contiguous(memory_format=torch.channels_last)
    masks = torch.randint(0, 11, (BATCH, *CROP)).to(torch.uint8)
    taken: list[float] = []
    for _ in range(3):
        begin = time.process_time()
        cross_entropy(forward_with_auxiliary(network, pictures)["logits"], masks).backward()
        taken.append(time.process_time() - begin)
    steps = seconds / (min(taken) * BESIDE)
    return max(1, round(steps * BATCH / TRAINING_PICTURES))


if __name__ == "__main__":
    main()
