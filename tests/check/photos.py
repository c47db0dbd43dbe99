"""Pictures with the statistics of photos, drawn: clouds of all sizes, and what people do to photos."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.check.facts import Facts, Fault
from pixelwise.check.likeness import SIDE, Likeness, measure_likeness
from pixelwise.check.look import SEEN_SIZE
from pixelwise.check.resemblance import Thumbnails
from pixelwise.check.survey import Survey
from pixelwise.config import DataConfig
from pixelwise.data import Reader, Split, open_dataset
from pixelwise.data.crew import Crew
from pixelwise.errors import DataError

_LARGE = 300

Picture = npt.NDArray[np.uint8]


def clouds(seed: int, size: tuple[int, int] = (256, 256), scale: float = 45.0) -> Picture:
    """`(h, w, 3) uint8` noise whose waves are the weaker the shorter they are, as in photos."""
    height, width = size
    rng = np.random.default_rng(seed)
    waves = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width) * width / height)
    spectrum = rng.normal(size=waves.shape) + 1j * rng.normal(size=waves.shape)
    grey = np.fft.irfft2(spectrum / np.maximum(waves, 1 / height) ** 1.4, s=size)
    grey = 128 + scale * (grey - grey.mean()) / grey.std()
    tint = np.array([1.0, 0.9, 0.8])
    return np.clip(np.rint(grey[..., None] * tint), 0, 255).astype(np.uint8)


def thumbnails_of(likenesses: Sequence[Likeness]) -> Thumbnails:
    """`(n, 32, 32) uint8`."""
    block = b"".join(item.thumbnail for item in likenesses)
    return np.reshape(np.frombuffer(block, np.uint8), (len(likenesses), SIDE, SIDE))


def looked_at(image: Image.Image) -> Picture:
    return np.asarray(image.resize((256, 256), Image.Resampling.BILINEAR))


def saved(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


def cropped(image: Image.Image, share: float) -> Image.Image:
    across, down = round(image.width * share), round(image.height * share)
    return image.crop((across, down, image.width - across, image.height - down))


def brightened(image: Image.Image, gamma: float, factor: float) -> Image.Image:
    return image.point([min(round(255 * factor * (value / 255) ** gamma), 255) for value in range(256)] * 3)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved again": lambda image: saved(image, 40),
    "half": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "twice": lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC),
    "lighter": lambda image: brightened(image, 1.0, 1.3),
    "darker": lambda image: brightened(image, 1.0, 0.7),
    "gamma 0.6": lambda image: brightened(image, 0.6, 1.0),
    "gamma 1.6": lambda image: brightened(image, 1.6, 1.0),
    "cropped by 3%": lambda image: cropped(image, 0.03),
    "cropped by 5%": lambda image: cropped(image, 0.05),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored and cropped": lambda image: cropped(image, 0.04).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def write_set(
    root: Path, pictures: Mapping[str, Picture], masks: Mapping[str, Picture] | None = None
) -> Path:
    """A data set of pictures by name, as PNG; the upper half of each is of class 1 where no mask is given."""
    for name, picture in pictures.items():
        ids = np.zeros(picture.shape[:2], np.uint8)
        ids[: len(ids) // 2] = 1
        for folder, array in (("images", picture), ("masks", (masks or {}).get(name, ids))):
            path = root / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return root


def survey_of(root: Path, config: DataConfig, *, val: Collection[str] | None = None) -> Survey:
    """What a pass over the data set finds; the named samples validate, where names are given."""
    dataset = open_dataset(root, config)
    if val is not None:
        names = list(dataset.reader.entries.names)
        chosen = [name in val for name in names]
        train = tuple(index for index, taken in enumerate(chosen) if not taken)
        split = Split(train, tuple(index for index, taken in enumerate(chosen) if taken), "by hand")
        dataset = replace(dataset, split=split)
    survey = Survey(dataset, Path(tempfile.gettempdir()))
    for index, facts in enumerate(_all_facts(root, config, dataset.reader)):
        survey.add(index, facts)
    return survey


_known: dict[object, list[Facts]] = {}
"""What was seen of the large sets, which are only read."""


def _all_facts(root: Path, config: DataConfig, reader: Reader) -> list[Facts]:
    """Of every sample in order; the splits of one set differ, and what is seen does not."""
    key = root, config.map
    if len(reader) < _LARGE:
        return [_facts(reader, index) for index in range(len(reader))]
    if key not in _known:
        with Crew(reader, workers=2, items=len(reader)) as crew:
            _known[key] = list(crew.in_order(_facts, range(len(reader))))
    return _known[key]


def _facts(reader: Reader, index: int) -> Facts:
    """What `look` notes, as far as copies and films are concerned; the rest takes most of its time."""
    try:
        picture, mask = reader.for_network(index, SEEN_SIZE)
    except DataError as error:
        return Facts(fault=Fault(kind="unreadable", text=str(error)))
    labels = hashlib.blake2b(mask.tobytes() + repr(mask.shape).encode(), digest_size=8).hexdigest()
    size = mask.shape[0], mask.shape[1]
    return Facts(size=size, labels=labels, likeness=measure_likeness(picture))
