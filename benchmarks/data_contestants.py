"""One way of loading labelled pictures, as a process that loads when it is told to; used by `data.py`.

    python benchmarks/data_contestants.py NAME FOLDER PASSES

FOLDER has images/ and masks/ of the same stems. The process loads everything once to get warm, says
`ready`, and for each line on its standard input loads everything PASSES times and answers with the seconds
a pass took.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (160, 160)
BATCH = 32
Pass = Callable[[], None]


def files(folder: Path) -> tuple[list[str], list[str]]:
    """Pictures and masks, in the same order."""
    images, masks = (sorted(str(p) for p in (folder / part).iterdir()) for part in ("images", "masks"))
    return images, masks


def ours(folder: Path) -> Pass:
    """`reader.at`, one sample after the other."""
    reader = _dataset(folder).reader

    def run() -> None:
        for index in range(len(reader)):
            reader.at(index, SIZE)

    return run


def pillow(folder: Path) -> Pass:
    """What most people write."""
    from PIL import Image

    images, masks = files(folder)

    def run() -> None:
        for image, mask in zip(images, masks, strict=True):
            np.asarray(Image.open(image).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))
            np.asarray(Image.open(mask).resize(SIZE, Image.Resampling.NEAREST))

    return run


def opencv(folder: Path) -> Pass:
    """OpenCV with its antialiasing filter, one thread."""
    import cv2

    cv2.setNumThreads(1)
    images, masks = files(folder)

    def run() -> None:
        for image, mask in zip(images, masks, strict=True):
            pixels = cv2.cvtColor(cv2.imread(image), cv2.COLOR_BGR2RGB)
            cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA)
            ids = cv2.imread(mask, cv2.IMREAD_GRAYSCALE)
            cv2.resize(ids, SIZE, interpolation=cv2.INTER_NEAREST)

    return run


def keras(folder: Path) -> Pass:
    """Keras' `load_img`, as its tutorials call it."""
    from keras.utils import load_img

    images, masks = files(folder)

    def run() -> None:
        for image, mask in zip(images, masks, strict=True):
            np.asarray(load_img(image, target_size=SIZE, interpolation="bilinear"))
            np.asarray(load_img(mask, target_size=SIZE, color_mode="grayscale"))

    return run


def ours_batches(folder: Path) -> Pass:
    """Batches from files, two threads, nothing cached: `pixelwise train --no-cache`."""
    return _batches(folder, cache=False)


def ours_cache(folder: Path) -> Pass:
    """Batches from the cache of prepared pictures, two threads: every epoch after the first."""
    return _batches(folder, cache=True)


def dataloader(folder: Path) -> Pass:
    """PyTorch's DataLoader over Pillow, two worker processes that stay."""
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    images, masks = files(folder)

    class Files(Dataset[Any]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            image = Image.open(images[index]).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
            mask = Image.open(masks[index]).resize(SIZE, Image.Resampling.NEAREST)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
            return pixels, torch.from_numpy(np.array(mask)).long()

    torch.set_num_threads(1)
    loader = DataLoader(Files(), batch_size=BATCH, num_workers=2, persistent_workers=True)

    def run() -> None:
        for _ in loader:
            pass

    return run


def tf_data(folder: Path) -> Pass:
    """The pipeline of the Keras tutorial on Oxford Pets: `tf.data` over TensorFlow's own decoders."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    images, masks = files(folder)

    def load(image: Any, mask: Any) -> Any:
        pixels = tf.io.decode_image(tf.io.read_file(image), channels=3, expand_animations=False)
        pixels = tf.image.convert_image_dtype(tf.image.resize(pixels, SIZE), "float32")
        ids = tf.io.decode_png(tf.io.read_file(mask), channels=1)
        return pixels, tf.image.resize(ids, SIZE, method="nearest")

    data = tf.data.Dataset.from_tensor_slices((images, masks)).map(load, num_parallel_calls=2).batch(BATCH)

    def run() -> None:
        for _ in data:
            pass

    return run


def _dataset(folder: Path) -> Any:
    from pixelwise.config import DataConfig
    from pixelwise.data import open_dataset

    return open_dataset(folder, DataConfig(cache_dir=folder / "cache"))


def _batches(folder: Path, *, cache: bool) -> Pass:
    from pixelwise.config import DataConfig
    from pixelwise.data.cache import prepare
    from pixelwise.data.loader import BatchLoader, epoch_order

    config = DataConfig(cache=cache, cache_dir=folder / "cache", workers=2)
    side = prepare(_dataset(folder), SIZE, config).train
    count = len(files(folder)[0])

    def run() -> None:
        done = 0  # a side of the split is four fifths of the files: go round until as many are loaded
        while done < count:
            order = epoch_order(len(side), seed=0, epoch=done)[: count - done]
            with BatchLoader(side, order, batch_size=BATCH, workers=2) as loader:
                for batch in loader:
                    done += len(batch)

    return run


ONE_CORE = {"ours": ours, "pillow": pillow, "opencv": opencv, "keras": keras}
TWO_CORES = {
    "ours_batches": ours_batches,
    "ours_cache": ours_cache,
    "dataloader": dataloader,
    "tf_data": tf_data,
}


def main() -> None:
    """Gets ready, then answers each line with the seconds that a pass took."""
    name, folder, passes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if name.startswith("ours"):  # as the command line does
        from pixelwise import torch_runtime

        torch_runtime.keep_large_blocks()
    if name in ONE_CORE and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    run = (ONE_CORE | TWO_CORES)[name](folder)
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(passes):
            run()
        print((time.perf_counter() - start) / passes, flush=True)


if __name__ == "__main__":
    main()
