"""A clean drawn data set, and faults to plant in it: one function a fault, each says what it spoilt."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.check.facts import Facts
from pixelwise.check.look import look
from pixelwise.data import Reader
from pixelwise.data.drawn import COLOURS, NAMES, draw_dataset, draw_scene
from pixelwise.drawing import palette_image

PICTURES = 40
SIZE = (96, 128)
NAME = "scene_{:04d}".format
_ORIENTATION = 0x0112


def draw_clean(root: Path) -> Path:
    """40 scenes of five classes, 128x96, in the `folder` layout with named classes; nothing is wrong."""
    return draw_dataset(root, pictures=PICTURES, size=SIZE, seed=1)


_looks: dict[object, Facts] = {}


def look_once(reader: Reader, index: int) -> Facts:
    """In place of `look`, which takes most of a check: the same files are not looked at again.

    Facts depend on the bytes of the two files and on how they are read; a fault names its file.
    """
    entry = reader.entries[index]
    content = tuple(path.read_bytes() if path.is_file() else b"" for path in (entry.image, entry.labels))
    digest = hashlib.sha256(b"".join(content) + f"{len(content[0])}".encode()).hexdigest()
    key = digest, reader.format, reader.table.digest(), reader.fit_masks, str(reader.classes.to_json())
    if key in _looks:
        return _looks[key]
    facts = look(reader, index)
    if facts.fault is None:
        _looks[key] = facts
    return facts


def picture(root: Path, number: int) -> Path:
    return root / "images" / f"{NAME(number)}.png"


def mask(root: Path, number: int) -> Path:
    return root / "masks" / f"{NAME(number)}.png"


def read(path: Path) -> npt.NDArray[np.uint8]:
    """The values in the file: palette indices of a mask, RGB of a picture."""
    return np.asarray(Image.open(path))


def write_mask(path: Path, ids: npt.NDArray[np.uint8]) -> None:
    palette_image(ids, COLOURS).save(path)


def truncate(root: Path) -> list[str]:
    """A picture and another's mask end in the middle."""
    for path in (picture(root, 5), mask(root, 9)):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    return [NAME(5), NAME(9)]


def turn(root: Path) -> list[str]:
    """A photo that its EXIF tag turns, whose mask was saved without the turn."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    Image.open(picture(root, 3)).save(picture(root, 3), exif=exif)
    return [NAME(3)]


def scale(root: Path) -> list[str]:
    """A mask of half its picture's size."""
    write_mask(mask(root, 4), np.ascontiguousarray(read(mask(root, 4))[::2, ::2]))
    return [NAME(4)]


def crop(root: Path) -> list[str]:
    """A mask that lacks its upper rows."""
    write_mask(mask(root, 6), np.ascontiguousarray(read(mask(root, 6))[20:]))
    return [NAME(6)]


def stray_value(root: Path) -> list[str]:
    """Some pixels of a value that no class has."""
    ids = read(mask(root, 7)).copy()
    ids[10:20, 10:20] = 77
    Image.fromarray(ids).save(mask(root, 7))
    return [NAME(7)]


def start_at_one(root: Path) -> list[str]:
    """All ids are one too large."""
    for number in range(1, PICTURES + 1):
        Image.fromarray(read(mask(root, number)) + np.uint8(1)).save(mask(root, number))
    return []


def binary(root: Path) -> list[str]:
    """Masks for the eye: 0 and 255."""
    for number in range(1, PICTURES + 1):
        Image.fromarray(np.where(read(mask(root, number)) > 0, 255, 0).astype(np.uint8)).save(
            mask(root, number)
        )
    (root / "classes.txt").write_text("ground\nobject\n")
    return []


def binary_jpeg(root: Path) -> list[str]:
    """The same as JPEG, which invents values around 0 and 255."""
    binary(root)
    for number in range(1, PICTURES + 1):
        Image.open(mask(root, number)).save(mask(root, number).with_suffix(".jpg"), quality=90)
        mask(root, number).unlink()
    return []


def palette_as_rgb(root: Path) -> list[str]:
    """The palette's colours instead of its indices, and classes without colours."""
    for number in range(1, PICTURES + 1):
        Image.open(mask(root, number)).convert("RGB").save(mask(root, number))
    (root / "classes.txt").write_text("\n".join(NAMES) + "\n")
    return []


def colours_off(root: Path) -> list[str]:
    """RGB masks whose colours a program rounded: up to three units off."""
    generator = np.random.default_rng(3)
    for number in range(1, PICTURES + 1):
        rgb = np.asarray(Image.open(mask(root, number)).convert("RGB")).astype(np.int16)
        off = generator.integers(-3, 4, rgb.shape)
        Image.fromarray(np.minimum(np.maximum(rgb + off, 0), 255).astype(np.uint8)).save(mask(root, number))
    return []


def smooth(root: Path) -> list[str]:
    """Masks that were enlarged like pictures."""
    for number in (2, 11):
        grey = Image.fromarray(read(mask(root, number)))
        small = grey.resize((SIZE[1] // 2, SIZE[0] // 2), Image.Resampling.NEAREST)
        small.resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR).save(mask(root, number))
    return [NAME(2), NAME(11)]


def empty(root: Path) -> list[str]:
    """A mask that is ignored altogether."""
    write_mask(mask(root, 8), np.full(SIZE, 255, np.uint8))
    return [NAME(8)]


def one_class(root: Path) -> list[str]:
    """A mask that nobody drew."""
    write_mask(mask(root, 12), np.zeros(SIZE, np.uint8))
    return [NAME(12)]


def hardly_labelled(root: Path) -> list[str]:
    """A mask that was begun and not finished."""
    ids = read(mask(root, 13)).copy()
    ids[8:] = 255
    write_mask(mask(root, 13), ids)
    return [NAME(13)]


def lens_cap(root: Path) -> list[str]:
    """A black picture."""
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(picture(root, 14))
    return [NAME(14)]


def copy_pair(root: Path, source: int, name: str) -> None:
    shutil.copy(picture(root, source), root / "images" / f"{name}.png")
    shutil.copy(mask(root, source), root / "masks" / f"{name}.png")


def copy_across(root: Path) -> list[str]:
    """Three pictures stand again at the end, where `val_last` puts them into validation."""
    for number in (1, 2, 3):
        copy_pair(root, number, f"zz_{number}")
    return [NAME(1), NAME(2), NAME(3)]


def copy_within(root: Path) -> list[str]:
    """A picture stands twice on one side."""
    copy_pair(root, 4, f"{NAME(4)}_again")
    return [f"{NAME(4)}_again"]


def save_again(root: Path) -> list[str]:
    """A picture stands again at the end: smaller by a margin, lighter, as a JPEG."""
    copy_pair(root, 5, "zz_5")
    path = picture(root, 5)
    inner = Image.open(path).convert("RGB").crop((3, 3, SIZE[1] - 3, SIZE[0] - 3))
    small = inner.resize((SIZE[1], SIZE[0])).point(lambda value: min(255, round(1.1 * value)))
    (root / "images" / "zz_5.png").unlink()
    small.save(root / "images" / "zz_5.jpg", quality=60)
    return [NAME(5)]


def contradict(root: Path) -> list[str]:
    """A picture stands twice, with another mask."""
    copy_pair(root, 6, f"{NAME(6)}_again")
    ids = read(mask(root, 6))
    write_mask(root / "masks" / f"{NAME(6)}_again.png", np.where(ids > 0, 5 - ids, 0).astype(np.uint8))
    return [NAME(6), f"{NAME(6)}_again"]


def film(root: Path) -> list[str]:
    """Thirty frames of a slow pan over one scene, beside the others."""
    wide, ids = draw_scene((SIZE[0], 2 * SIZE[1]), seed=9, index=0)
    for number in range(30):
        window = slice(2 * number, 2 * number + SIZE[1])
        Image.fromarray(np.ascontiguousarray(wide[:, window])).save(root / "images" / f"pan_{number:05d}.png")
        write_mask(root / "masks" / f"pan_{number:05d}.png", np.ascontiguousarray(ids[:, window]))
    return []


def only_at_the_end(root: Path) -> list[str]:
    """A class stands in the last pictures alone."""
    for number in range(1, PICTURES + 1):
        ids = read(mask(root, number)).copy()
        ids[ids == 4] = 0
        if number > PICTURES - 4:
            ids[40:60, 50:80] = 4
        write_mask(mask(root, number), ids)
    return ["ring"]


def lonely_picture(root: Path) -> list[str]:
    """A picture without a mask."""
    shutil.copy(picture(root, 1), root / "images" / "lonely.png")
    return ["lonely"]


def lonely_mask(root: Path) -> list[str]:
    """A mask without a picture."""
    shutil.copy(mask(root, 1), root / "masks" / "lonely.png")
    return ["lonely"]


def large_picture(root: Path) -> list[str]:
    """A picture of four times the size."""
    for path, way in (
        (picture(root, 15), Image.Resampling.BILINEAR),
        (mask(root, 15), Image.Resampling.NEAREST),
    ):
        opened = Image.open(path)
        opened.resize((SIZE[1] * 4, SIZE[0] * 4), way).save(path)
    return [NAME(15)]


def strip_picture(root: Path) -> list[str]:
    """A picture that is ten times as wide as high."""
    for path, way in (
        (picture(root, 16), Image.Resampling.BILINEAR),
        (mask(root, 16), Image.Resampling.NEAREST),
    ):
        Image.open(path).resize((350, 35), way).save(path)
    return [NAME(16)]


def swap(root: Path) -> list[str]:
    """Two masks belong to each other's pictures."""
    first, second = read(mask(root, 17)), read(mask(root, 18))
    write_mask(mask(root, 17), second)
    write_mask(mask(root, 18), first)
    return [NAME(17), NAME(18)]


def mirror_all(root: Path) -> list[str]:
    """Every mask is mirrored left to right."""
    for number in range(1, PICTURES + 1):
        write_mask(mask(root, number), np.ascontiguousarray(read(mask(root, number))[:, ::-1]))
    return []


def move_all(root: Path) -> list[str]:
    """Every mask lies ten pixels too far right, as after a letterbox that only one of the two had."""
    for number in range(1, PICTURES + 1):
        ids = read(mask(root, number))
        moved = np.zeros_like(ids)
        moved[:, 10:] = ids[:, :-10]
        write_mask(mask(root, number), moved)
    return []
