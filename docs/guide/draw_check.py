"""Draws the report in check.md: a drawn data set with planted faults, checked, in a headless browser.

PYTHONPATH=tests python docs/guide/draw_check.py [chromium]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

import planted
from pixelwise.ceiling import make_grids, measure_ceiling
from pixelwise.check.run import check
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.report.ceiling_plot import save_ceiling_plot
from pixelwise.report.check_files import PAGE, write_report

ROOT = Path(__file__).resolve().parents[2]
FAULTS = (
    planted.truncate,
    planted.turn,
    planted.stray_value,
    planted.lens_cap,
    planted.swap,
    planted.one_class,
)
WIDTH, HEIGHT = 1280, 2080


def main() -> None:
    """Writes docs/images/check-report.png and docs/images/ceiling.png."""
    images = ROOT / "docs" / "images"
    with tempfile.TemporaryDirectory() as folder:
        root = planted.draw_clean(Path(folder) / "shapes")
        clean = Path(shutil.copytree(root, Path(folder) / "clean"))
        for plant in FAULTS:
            plant(root)
        out = Path(folder) / "check"
        done = check(root, DataConfig(), out=out, command="pixelwise check shapes", version="")
        write_report(done.report, done.dataset, out, workers=2)
        page = (out / PAGE).read_text().replace(f"{folder}/", "")
        (out / PAGE).write_text(page)
        photograph(out / PAGE, images / "check-report.png")
        ceiling = measure_ceiling(open_dataset(clean), grids=make_grids(), split="all")
        save_ceiling_plot(ceiling, images / "ceiling.png")


def photograph(page: Path, picture: Path) -> None:
    """The page as a PNG, without the empty rest below it."""
    browser = sys.argv[1] if len(sys.argv) > 1 else "chromium"
    subprocess.run(
        [
            *(browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={picture}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
    )
    whole = Image.open(picture).convert("RGB")
    box = ImageChops.difference(
        whole, Image.new("RGB", whole.size, whole.getpixel((0, HEIGHT - 1)))
    ).getbbox()
    cut = whole.crop((0, 0, WIDTH, min(HEIGHT, (box or (0, 0, 0, HEIGHT))[3] + 24)))
    cut.quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
