"""Photos named by files, folders and globs: which they are, and what their results are called.

Knows no network. A photo that cannot be read is reported and the others go on.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.ahead import in_order
from pixelwise.data.io import PICTURE_ENDINGS, read_picture, read_picture_and_at, read_picture_at
from pixelwise.errors import DataError
from pixelwise.inference.inputs import Input, Sized
from pixelwise.inference.predictor import Predictor


@dataclass(frozen=True)
class Photo:
    """A photo to segment.

    Attributes:
        path: The file.
        name: What its results are called, without an ending; may have folders, with `/`.
    """

    path: Path
    name: str


def find_photos(sources: Sequence[str]) -> list[Photo]:
    """All photos that the sources name, in their order; those of a folder or glob sorted, each only once.

    Args:
        sources: Picture files, folders (searched with their subfolders), or globs such as `shots/**/*.jpg`.

    Raises:
        DataError: A source names nothing, or two photos would get the same name.
    """
    found: dict[Path, Path] = {}  # photo -> the folder that its name is relative to
    for source in sources:
        for path, base in _expand(source):
            found.setdefault(path, base)
    names = {path: path.relative_to(base).with_suffix("").as_posix() for path, base in found.items()}
    doubled = {name for name, count in Counter(names.values()).items() if count > 1}
    # cat.jpg and cat.png: the ending tells them apart.
    full = {p: f"{n}{p.suffix}" if n in doubled else n for p, n in names.items()}
    clash = [name for name, count in Counter(full.values()).items() if count > 1]
    if clash:
        same = [str(path) for path, name in full.items() if name == clash[0]]
        raise DataError(
            f"the results of {' and '.join(same[:2])} would overwrite each other: predict them in two calls "
            "with two --out folders, or name the folder above both"
        )
    return [Photo(path, name) for path, name in full.items()]


def _expand(source: str) -> list[tuple[Path, Path]]:
    """The files of one source, each with the folder that its name is relative to."""
    path = Path(source)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if _is_picture(p.relative_to(path), p))
        if not files:
            raise DataError(
                f"{source}: no picture in this folder; known are {', '.join(sorted(PICTURE_ENDINGS))}"
            )
        return [(p, path) for p in files]
    if path.is_file():
        return [(path, path.parent)]
    matches = sorted(Path(match) for match in glob.glob(source, recursive=True))  # noqa: PTH207
    files = [p for p in matches if p.is_file()]
    if not files:
        raise DataError(f"{source}: no such file or folder, and as a pattern it matches no picture")
    return [(p, p.parent) for p in files]


def _is_picture(relative: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return path.suffix.lower() in PICTURE_ENDINGS and not hidden and path.is_file()


def read_photos(
    photos: Iterable[Photo], predictor: Predictor, *, whole: bool = True, workers: int = 2
) -> Iterator[tuple[Photo, Input | DataError]]:
    """Each photo as the predictor takes it, or with the error that reading it raised; reads ahead.

    Args:
        photos: In the order wanted.
        predictor: For which they are read.
        whole: Whether the segmentation shall have the photo at its own size, for overlays.
        workers: Threads.
    """
    yield from in_order(lambda photo: (photo, _read(photo.path, predictor, whole)), photos, workers=workers)


def read_input(path: Path, predictor: Predictor, *, whole: bool = True) -> Input:
    """A picture file as the predictor takes it: for the network decoded as training decodes it.

    Args:
        path: The file.
        predictor: For which it is read.
        whole: Whether the picture itself is wanted too, where the network gets it smaller.

    Raises:
        DataError: The file is missing, or no picture.
    """
    if not predictor.reads_scaled:
        return read_picture(path)
    size = predictor.size_policy.size
    if not (whole or predictor.needs_picture):
        return Sized(*read_picture_at(path, size), None)
    image, network = read_picture_and_at(path, size)
    return Sized(network, (image.shape[0], image.shape[1]), image)


def _read(path: Path, predictor: Predictor, whole: bool) -> Input | DataError:
    try:
        return read_input(path, predictor, whole=whole)
    except DataError as error:
        return error
