"""How good does the published recipe get on real photos? Sums up a finished run on the cats.

    pixelwise train ../shared/data/cats --val-last 195 --out runs/cats15
    python benchmarks/cats.py ../shared/data/cats runs/cats15 --json benchmarks/results/cats-15-epochs.json

Figures of the course come from the run's history; the scores at the photos' own size are measured here, and
so is the peak memory, by training one more epoch into a folder that is thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pixelwise as pw
from pixelwise import plain
from pixelwise.config import DataConfig, TrainConfig
from pixelwise.report.history import read_history


def main() -> None:
    """Measures one run and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--note", default="", help="what a reader must know of how it was run")
    arguments = parser.parse_args()

    document = json.loads((arguments.run / "config.json").read_text())
    config = plain.from_json(TrainConfig, document["train"])
    rows = read_history(arguments.run / "history.csv")
    model = pw.load(arguments.run / "best.safetensors")
    validation = model.provenance["validation"]
    by_loss = min(rows, key=lambda row: row.val_loss)
    provenance = dict(model.provenance)
    data_config = DataConfig(val_last=config.data.val_last)
    at_photo = model.evaluate(arguments.data, config=data_config)
    at_network = model.evaluate(arguments.data, config=data_config, resolution="network")
    if at_network.miou != validation["miou"]:
        raise SystemExit(f"evaluation gave {at_network.miou}, training {validation['miou']}: they must agree")
    result = {
        "question": "how good does the published recipe get on the cats, and how fast?",
        "note": arguments.note,
        "settings": {key: value for key, value in document["train"].items() if key != "data"},
        "protocol": provenance["split"],
        "epochs": len(rows),
        "steps": rows[-1].step,
        "best_epoch": provenance["epoch"],
        "best_epoch_val_loss": provenance["validation_loss"],
        "lowest_val_loss": {
            "epoch": by_loss.epoch,
            "val_loss": by_loss.val_loss,
            "val_miou": by_loss.val_miou,
        },
        "miou": {"network_size": at_network.miou, "photo_size": at_photo.miou},
        "iou": {
            "classes": list(at_photo.classes),
            "network_size": list(at_network.iou),
            "photo_size": list(at_photo.iou),
        },
        "pixel_accuracy": {"network_size": at_network.pixel_accuracy, "photo_size": at_photo.pixel_accuracy},
        "seconds_per_epoch": _spread([row.seconds for row in rows]),
        "images_per_second": _spread([row.images_per_second for row in rows]),
        "wait_share": _spread([row.wait_share for row in rows]),
        "peak_memory_mib": _peak_memory(arguments.data, config),
        **{
            key: provenance[key]
            for key in ("data_hash", "machine", "versions", "git", "threads", "precision")
        },
    }
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _peak_memory(data: Path, config: TrainConfig) -> float:
    """Peak resident memory in MiB of one epoch with validation, as its own process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pixelwise", "train", str(data), "--out", str(Path(folder) / "run")]
        command += ["--epochs", "1", "--val-last", str(config.data.val_last)]
        command += ["--batch-size", str(config.batch_size), "--size", *map(str, config.size)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
        return round(usage.ru_maxrss / 1024, 1)  # Linux counts it in KiB


if __name__ == "__main__":
    main()
