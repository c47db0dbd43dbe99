"""How many labelled pictures a second come from files and from the cache, beside what others use?

Three kinds of files, all real: JPEGs of 500x375 with palette masks (PASCAL VOC), PNGs of 480x360 (CamVid),
PNGs of 2048x1024 (Cityscapes). Each is opened, resized to 160x160, and so is its mask. Every contestant is
a process that is kept alive and loads only when it is its turn (A B C A B C …); a round gives one ratio. On
one core: ours, Pillow, OpenCV, Keras' `load_img`. On two: our batches from files and from the cache,
PyTorch's DataLoader over Pillow, and `tf.data`. Then every reader on real files of its format beside plain
Pillow, and a listing of 100,000 pictures.

    python benchmarks/data.py --keras-python ../keras-env/bin/python     # about 10 minutes
    python benchmarks/data.py --quick                                  # does the script work? No JSON

OpenCV (`opencv-python-headless`) must be installed beside pixelwise; the Keras environment is that of
`train_speed.py`. The pictures are those of ../shared/data, or of PIXELWISE_REAL_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import data_contestants
from machine import command, spread, write_result

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("PIXELWISE_REAL_DATA", HERE.parents[1] / "shared" / "data"))
LISTED = 100_000
KERAS = ("keras", "tf_data")

# Written before the measurement.
EXPECTED = (
    "JPEGs: ours is twice as fast as Pillow on one core, since it decodes at half size; at least 1,000 a "
    "second from files on two cores, and 10,000 from the cache. PNGs: decoding is zlib's work and the "
    "same for all, so ours is as fast as Pillow, a little faster by the mask. No reader is slower than "
    "Pillow. 100,000 pictures are listed in a second or two."
)


def main() -> None:
    """Measures everything, prints the tables, writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keras-python", help="Python of an environment with TensorFlow and Keras")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 2
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        kinds = {
            name: contest(folder, arguments.rounds, arguments.keras_python)
            for name, folder in material(root, small=arguments.quick).items()
        }
        readers = [reader_ratio(*item, arguments.rounds) for item in of_each_format(root)]
        for row in readers:
            print(f"{row['format']:16s} {row['beside_pillow']['median']:.2f} times plain Pillow", flush=True)
        listed = listing(root / "listing", LISTED // (100 if arguments.quick else 1))
    print(json.dumps(listed))
    if arguments.quick:
        return
    write_result(
        "data",
        question=__doc__.splitlines()[0],
        command=command(),
        expected=EXPECTED,
        files=kinds,
        readers=readers,
        listing=listed,
    )


def material(root: Path, *, small: bool) -> dict[str, Path]:
    """The three kinds of files, as images/ + masks/ + classes.txt each, copied until a pass takes a while."""
    voc, city = DATA / "formats" / "labelme" / "expected_voc", DATA / "formats" / "cityscapes"
    jpegs = [(p, voc / "SegmentationClass" / f"{p.stem}.png") for p in sorted((voc / "JPEGImages").iterdir())]
    frames = [(p, DATA / "camvid" / "valannot" / p.name) for p in sorted((DATA / "camvid" / "val").iterdir())]
    streets = [
        (p, Path(str(p).replace("leftImg8bit/", "gtFine/").replace("leftImg8bit.png", "gtFine_labelIds.png")))
        for p in sorted((city / "leftImg8bit").rglob("*.png"))
    ]
    counts = {"500x375 JPEG": (jpegs, 300), "480x360 PNG": (frames, 101), "2048x1024 PNG": (streets, 8)}
    folders: dict[str, Path] = {}
    for name, (pairs, count) in counts.items():
        folder = folders[name] = root / name.replace(" ", "-")
        for number in range(8 if small else count):
            for part, source in zip(("images", "masks"), pairs[number % len(pairs)], strict=True):
                (folder / part).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / part / f"{number:05d}{source.suffix}")
        (folder / "classes.txt").write_text("".join(f"class {i}\n" for i in range(40)))
    return folders


def contest(folder: Path, rounds: int, keras_python: str | None) -> dict[str, Any]:
    """Pictures a second of every contestant, and ours beside each, round by round."""
    names = [*data_contestants.ONE_CORE, *data_contestants.TWO_CORES]
    names = [name for name in names if name not in KERAS or keras_python is not None]
    count = len(list((folder / "images").iterdir()))
    rates: dict[str, list[float]] = {name: [] for name in names}
    running = {name: start(name, folder, keras_python) for name in names}
    for _ in range(rounds):
        for name, process in running.items():
            rates[name].append(count / answer(process))
    for process in running.values():
        process.stdin.close()
        process.wait()
    ratios: dict[str, Any] = {}
    for name in names:
        base = "ours" if name in data_contestants.ONE_CORE else "ours_batches"
        if name not in ("ours", "ours_batches"):
            ratios[f"{base} / {name}"] = spread(
                [a / b for a, b in zip(rates[base], rates[name], strict=True)]
            )
    result = {"pictures": count, "a_second": {n: spread(r) for n, r in rates.items()}, "ratios": ratios}
    print(folder.name, json.dumps(result), flush=True)
    return result


def start(name: str, folder: Path, keras_python: str | None) -> subprocess.Popen[str]:
    """A contestant that has loaded everything once."""
    python = keras_python if name in KERAS and keras_python is not None else sys.executable
    passes = 20 if name == "ours_cache" else 1  # long enough to be timed
    command = [python, str(HERE / "data_contestants.py"), name, str(folder), str(passes)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
    line = process.stdout.readline().strip()
    if line != "ready":
        sys.exit(f"{name} did not start: {line!r}")
    return process


def answer(process: subprocess.Popen[str]) -> float:
    """Lets a contestant load everything; the seconds that it took."""
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def of_each_format(root: Path) -> list[tuple[str, Path, dict[str, Any]]]:
    """Real files of every format: name, folder, and settings to open it with."""
    from pixelwise.config import DataConfig
    from pixelwise.data import open_dataset
    from pixelwise.data.writers import WRITERS, convert

    formats = DATA / "formats"
    found: list[tuple[str, Path, dict[str, Any]]] = [
        ("camvid", DATA / "camvid", {}),
        ("oxford_pets", DATA / "cats", {}),
        ("folder", DATA / "people", {"classes": ("background", "person"), "map": ("255=1",)}),
        ("cityscapes", formats / "cityscapes", {}),
        ("ade20k", formats / "ade20k_sceneparsing", {}),
        ("pascal_context", formats / "pascal_context", {"format": "pascal_context"}),
        ("labelme", formats / "labelme", {}),
        ("coco instances", formats / "coco_instances", {}),
        (
            "coco panoptic",
            formats / "coco_panoptic" / "sample_data",
            {"annotations": "panoptic_examples.json"},
        ),
        ("voc", formats / "voc", {"format": "voc"}),
    ]
    source = open_dataset(formats / "labelme", DataConfig())
    for layout in WRITERS:  # our own polygons and run lengths have far more points than hand-drawn ones
        folder = root / f"converted-{layout}"
        convert(source, folder, layout)
        found.append((f"{layout}, converted", folder, {}))
    return found


def reader_ratio(name: str, folder: Path, settings: dict[str, Any], rounds: int) -> dict[str, Any]:
    """A reader's samples at 160x160 beside Pillow's opening and resizing of the same picture and mask files.

    Where labels are no pictures, Pillow opens and resizes the picture alone, which is less work.
    """
    from PIL import Image

    from pixelwise.config import DataConfig
    from pixelwise.data import open_dataset

    size = data_contestants.SIZE
    reader = open_dataset(folder, DataConfig(**settings)).reader
    indices = range(min(len(reader), 100))
    entries = [reader.entries[index] for index in indices]
    masks = entries[0].labels.suffix == ".png"

    def plain() -> None:
        for entry in entries:
            np_image = Image.open(entry.image).convert("RGB").resize(size, Image.Resampling.BILINEAR)
            np_image.tobytes()
            if masks:
                Image.open(entry.labels).resize(size, Image.Resampling.NEAREST).tobytes()

    def ours() -> None:
        for index in indices:
            reader.at(index, size)

    ratios: list[float] = []
    for _ in range(rounds + 1):
        seconds = [time_of(plain), time_of(ours)]
        ratios.append(seconds[0] / seconds[1])
    return {"format": name, "pictures": len(entries), "beside_pillow": spread(ratios[1:])}


def time_of(function: Any) -> float:
    """Seconds; repeated so that it takes a tenth of one at least."""
    start, times = time.perf_counter(), 0
    while time.perf_counter() - start < 0.1 or not times:
        function()
        times += 1
    return (time.perf_counter() - start) / times


def listing(folder: Path, count: int) -> dict[str, Any]:
    """Opens a folder of so many pictures and masks in a process of its own: seconds and memory."""
    source = next(p for p in sorted((DATA / "people" / "images").iterdir()))
    for part, ending, origin in (("images", ".jpg", source), ("masks", ".png", mask_of(source))):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            path = folder / part / f"picture_{number:07d}{ending}"
            if number % 10_000 == 0:  # a file may have so many names, and no more
                first = shutil.copyfile(origin, path)
            else:
                os.link(first, path)
    script = (
        "import json, resource, sys, time\n"
        "from pixelwise.config import DataConfig\n"
        "from pixelwise.data import open_dataset\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before, start = peak(), time.perf_counter()\n"
        "config = DataConfig(classes=('background', 'person'), map=('255=1',))\n"
        "reader = open_dataset(sys.argv[1], config).reader\n"
        "opened = time.perf_counter()\n"
        "reader.at(0, (160, 160))\n"
        "done = time.perf_counter()\n"
        "print(json.dumps({'pictures': len(reader), 'open_seconds': opened - start,\n"
        "    'first_sample_seconds': done - opened, 'megabytes': peak() - before}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def mask_of(picture: Path) -> Path:
    """The mask beside a picture of the portraits."""
    return picture.parents[1] / "masks" / f"{picture.stem}.png"


if __name__ == "__main__":
    main()
