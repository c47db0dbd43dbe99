"""`Segmentation`: labels with what belongs to them, and everything that can be asked of them.

Holds arrays that were checked when it was made; how each answer is found is in the files beside this one.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise import drawing
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError
from pixelwise.segmentation import cutout, documents
from pixelwise.segmentation.box import Box
from pixelwise.segmentation.component import Component, Pieces, class_mask, find_components
from pixelwise.segmentation.polygon import Polygon, find_polygons
from pixelwise.types import Classes, FloatArray, UInt8Array, check_labels, check_picture


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A picture whose every pixel has a class.

    Classes are asked for by name; one that there is not raises `ConfigError` with the names that there are.

    Attributes:
        labels: `(H, W) uint8` train ids, at the photo's own size; 255 = ignore.
        classes: What the ids mean.
        image: The photo, `(H, W, 3) uint8` RGB, where it was kept.
        confidence: `(H, W) float32` in 0..1, the probability of the class that won.
        probabilities: `(K, H, W) float32` in 0..1, summing to one over K, where they were asked for.

    Raises:
        DataError: The arrays don't have these shapes and types, or an id has no class.
    """

    labels: UInt8Array
    classes: Classes
    image: UInt8Array | None = field(default=None, repr=False)
    confidence: FloatArray | None = field(default=None, repr=False)
    probabilities: FloatArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_labels(self.labels, "segmentation")
        size = self.labels.shape
        if self.image is not None:
            check_picture(self.image, "segmentation")
        for name, array, expected in (
            ("image", self.image, (*size, 3)),
            ("confidence", self.confidence, size),
            ("probabilities", self.probabilities, (len(self.classes), *size)),
        ):
            if array is not None and array.shape != expected:
                raise DataError(f"{name} of a segmentation must have shape {expected}, got {array.shape}")
        # One more turns 255 into 0, so that it is the least and not the greatest.
        greatest = int((self.labels + np.uint8(1)).max()) - 1
        if greatest >= len(self.classes):
            raise DataError(
                f"labels of a segmentation into {len(self.classes)} classes must be below "
                f"{len(self.classes)}, or {IGNORE} for ignored pixels, but {greatest} is among them"
            )

    def area(self) -> dict[str, float]:
        """The share of the picture that each class covers, in 0..1; ignored pixels count for nothing."""
        counts, total = self._counts(), self.counted()
        return {
            name: (n / total if total else 0.0) for name, n in zip(self.classes.names, counts, strict=True)
        }

    def counted(self) -> int:
        """The pixels that have a class: all but the ignored ones."""
        return sum(self._counts())

    def _counts(self) -> list[int]:
        # Pillow's histogram takes half the time of NumPy's bincount, which widens the labels to 64 bits.
        return Image.fromarray(np.ascontiguousarray(self.labels)).histogram()[: len(self.classes)]

    def components(self, name: str | None = None, *, min_area: int = 1) -> list[Component]:
        """The connected pieces, the largest first: pixels of one class that touch at sides or corners.

        A clean picture has a few; a noisy one may have as many as pixels, which `min_area` keeps away. Takes
        about 10 bytes of memory a pixel meanwhile, and 80 where every pixel differs from its neighbours.

        Args:
            name: The pieces of this class only; none where no pixel has it.
            min_area: Pieces of fewer pixels are left out.
        """
        return find_components(self, name, min_area)

    def boxes(self, name: str | None = None, *, min_area: int = 1) -> list[Box]:
        """The boxes around `components`, in their order: `(left, top, right, bottom)` by pixel edges.

        `right` and `bottom` lie behind the last pixel, so `right - left` is the width. COCO's `(left, top,
        width, height)` is `box.xywh`.
        """
        return [component.box for component in self.components(name, min_area=min_area)]

    def polygons(
        self, name: str | None = None, *, tolerance: float = 0.0, min_area: int = 1
    ) -> list[Polygon]:
        """Outlines through the centres of border pixels, in the order to draw them.

        On a canvas without classes `Polygon.draw` gives the labels back, to the pixel where `tolerance` is 0:
        each polygon covers what it encloses, and what lies in its holes is drawn over it later. A polygon
        without a name takes the class away: it is a hole of the class that was asked for, or is ignored.
        Regions hang together by sides, so pieces that touch at corners only have an outline each.

        Args:
            name: The outlines of this class only; none where no pixel has it.
            tolerance: Points are left out that are at most so many pixels from the outline that remains
                (Douglas and Peucker). 1 leaves a small share of the points, and the staircase of pixels
                becomes a line. Each outline is simplified by itself, so neighbours may overlap by that much.
            min_area: Regions that enclose fewer pixels are left out, holes too.
        """
        return find_polygons(self, name, tolerance, min_area)

    def photo(self) -> Image.Image:
        """The photo as a Pillow picture.

        Raises:
            PixelwiseError: The segmentation was made without it.
        """
        return Image.fromarray(cutout.photo_of(self, "this"))

    def mask(self) -> Image.Image:
        """The label picture: palette PNG material whose pixel values are the train ids."""
        return drawing.palette_image(self.labels, self.classes.colours)

    def overlay(self, *, opacity: float = 0.45, legend: bool = True) -> Image.Image:
        """The photo with the class colours over it, as an RGB picture.

        Args:
            opacity: 0 shows the photo alone, 1 the colours alone.
            legend: Adds a strip below with the classes that occur and the share of each.

        Raises:
            PixelwiseError: The segmentation was made without the photo to lay the colours over.
        """
        photo = cutout.photo_of(self, "an overlay")
        picture = Image.fromarray(drawing.blend(photo, self.labels, self.classes.colours, opacity=opacity))
        if not legend:
            return picture
        shares = self.area()
        entries = [
            (f"{name} {100 * shares[name]:.1f}%", colour)
            for name, colour in zip(self.classes.names, self.classes.colours, strict=True)
            if shares[name] > 0
        ]
        return drawing.below(picture, drawing.legend(entries, width=max(picture.width, 160)))

    def crop(self, name: str, *, margin: float = 0.0, pieces: Pieces = "largest") -> Segmentation:
        """What lies in the box around a class: labels, photo, confidence and probabilities cut alike.

        `.crop("cat").photo()` is the picture, `.crop("cat").cutout("cat")` the cat alone.

        Args:
            name: The class.
            margin: Added on each side, as a share of the box's longer side, as far as the picture reaches.
            pieces: The box is that of the class' largest connected piece, or of `all` of them.

        Raises:
            ConfigError: There is no such class, or the margin is none.
            DataError: No pixel has the class.
        """
        if not (isfinite(margin) and margin >= 0):
            raise ConfigError(f"margin is a share of the box's longer side, 0 or more, got {margin}")
        inside = class_mask(self, name, pieces)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        tight = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        longest = max(self.labels.shape)
        pixels = min(longest, round(min(margin, longest) * max(tight.width, tight.height)))
        part = tight.grown(pixels, self.labels.shape).slices
        image, sure, scores = self.image, self.confidence, self.probabilities
        return Segmentation(
            labels=self.labels[part].copy(),
            classes=self.classes,
            image=None if image is None else image[part].copy(),
            confidence=None if sure is None else sure[part].copy(),
            probabilities=None if scores is None else scores[:, part[0], part[1]].copy(),
        )

    def cutout(self, name: str, *, pieces: Pieces = "all", edge: float | None = None) -> Image.Image:
        """The class alone, on nothing: an RGBA picture of the photo's size with a soft edge.

        Colours at the edge are those of the class and not mixed with the background, so that it can be laid
        on any other. `.crop(name)` first makes the picture no larger than needed.

        Args:
            name: The class.
            pieces: `largest` leaves out all but the largest connected piece.
            edge: Width in pixels of the strip along the border that may be partly transparent, half of it on
                either side; 1 is a hard edge. In it alpha is what the probabilities say where they were kept
                (`predict(…, probabilities=True)`): then 2% of the photo's longer side, at least 8, where not
                given. Else alpha rises evenly across it: then 0.3%, at least 3.

        Raises:
            ConfigError: There is no such class, or the edge is none.
            DataError: No pixel has the class.
            PixelwiseError: The segmentation was made without the photo.
        """
        return cutout.cut_out(self, name, pieces, edge)

    def blur_background(
        self, name: str, *, radius: float | None = None, pieces: Pieces = "all", edge: float | None = None
    ) -> Image.Image:
        """The photo with all but a class blurred; nothing of the class is smeared into the background.

        Args:
            name: The class that stays sharp.
            radius: Of the Gaussian blur in pixels (its standard deviation); 1.5% of the longer side where not
                given, at least 2.
            pieces: As for `cutout`.
            edge: As for `cutout`.

        Raises:
            ConfigError: As `cutout`, or the radius is none.
            DataError: As `cutout`.
            PixelwiseError: As `cutout`.
        """
        return cutout.blur_background(self, name, radius, pieces, edge)

    def replace_background(
        self,
        name: str,
        background: Colour | Image.Image,
        *,
        pieces: Pieces = "all",
        edge: float | None = None,
    ) -> Image.Image:
        """A class on another background, as an RGB picture of the photo's size.

        Args:
            name: The class that stays.
            background: RGB in 0..255, or a picture, which is scaled to cover the photo and cut at its middle.
            pieces: As for `cutout`.
            edge: As for `cutout`.

        Raises:
            ConfigError: As `cutout`, or the background is no colour.
            DataError: As `cutout`.
            PixelwiseError: As `cutout`.
        """
        return cutout.replace_background(self, name, background, pieces, edge)

    def save(self, path: Path | str) -> Path:
        """Writes `.mask()` as a palette PNG and returns the path."""
        target = Path(path)
        # Label maps are runs: zlib that looks for nothing else takes a third of its usual time, for a fifth
        # more bytes.
        self.mask().save(target, format="PNG", compress_level=3, compress_type=zlib.Z_RLE)
        return target

    def save_labelme(
        self,
        path: Path | str,
        *,
        picture: str | os.PathLike[str] | None = None,
        tolerance: float = 0.0,
    ) -> Path:
        """Writes a LabelMe json to correct the outlines in, and labels.txt beside it; returns the path.

        The folder can be trained on as it is: jsons of LabelMe are a data set. Read back, the labels are the
        same to the pixel where `tolerance` is 0.

        Args:
            path: The json, called like the picture and beside it.
            picture: The photo's file, which the json points to and which stays as it is. Where not given, the
                photo is written beside the json as PNG.
            tolerance: As for `polygons`; 1 leaves outlines that are easy to correct by hand.

        Raises:
            ConfigError: Another ending than `.json`, or a labels.txt is there that lacks a class.
            DataError: The picture has another size, or another one lies where the photo would be written.
            PixelwiseError: Neither a picture was named nor the photo kept.
        """
        way = None if picture is None else Path(picture)
        return documents.write_labelme(self, Path(path), way, tolerance)

    def save_coco(self, path: Path | str, *, picture: str | os.PathLike[str]) -> Path:
        """Writes a COCO json of one picture, exact to the pixel, and returns the path.

        For a json of many pictures see `pixelwise.segmentation.coco_document`.

        Args:
            path: The json; `annotations/instances_default.json` beside `images/` is what `train` opens.
            picture: The photo's file; the json has its name, and it stays as it is.

        Raises:
            ConfigError: Another ending than `.json`.
            DataError: The picture has another size.
        """
        return documents.write_coco(self, Path(path), Path(picture))


__all__ = ["Segmentation"]
