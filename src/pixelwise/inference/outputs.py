"""What is written of each photo, and how it fared. Knows segmentations and files; no network."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.inference.photos import Photo
from pixelwise.segmentation import Segmentation

EASY_OUTLINE = 1.0
"""Pixels by which an outline for LabelMe may be off: a point for every pixel cannot be corrected by hand."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What is written of each photo.

    Attributes:
        folder: Below which the results lie, in a folder for each kind.
        overlays: The photo under the class colours, beside the mask.
        probabilities: Of every class, as NumPy float16.
        labelme: A json of polygons that LabelMe opens, beside a copy of the photo.
        cutout: The class whose pixels are cut out of the photo; none where empty.
    """

    folder: Path
    overlays: bool = True
    probabilities: bool = False
    labelme: bool = False
    cutout: str = ""

    @property
    def need_photo(self) -> bool:
        """Whether the photo is needed at its own size."""
        return self.overlays or bool(self.cutout)

    @property
    def beyond_overview(self) -> bool:
        """Whether more is wanted than a mask and an overlay, which a picture by rows does not get."""
        return self.probabilities or self.labelme or bool(self.cutout)

    def files(self, photo: Photo) -> dict[str, str]:
        """The results' paths relative to the folder, by kind."""
        return {kind: f"{folder}/{photo.name}{ending}" for kind, folder, ending in self._kinds(photo)}

    def folders(self) -> dict[str, Path]:
        """Where the results of each kind lie."""
        kinds = self._kinds(Photo(Path(), ""))
        return {kind: self.folder / folder for kind, folder, _ in kinds if kind != "labelme_photo"}

    def _kinds(self, photo: Photo) -> list[tuple[str, str, str]]:
        """Kind, folder and ending of each result."""
        wanted = [
            (True, "mask", "masks", ".png"),
            (self.overlays, "overlay", "overlays", ".jpg"),
            (self.probabilities, "probabilities", "probabilities", ".npz"),
            (self.labelme, "labelme_photo", "labelme", photo.path.suffix),
            (self.labelme, "labelme", "labelme", ".json"),
            (bool(self.cutout), "cutout", "cutouts", ".png"),
        ]
        return [(kind, folder, ending) for want, kind, folder, ending in wanted if want]

    def to_json(self) -> dict[str, Any]:
        """What decides the results, as plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "folder"}

    def write(self, kind: str, photo: Photo, segmentation: Segmentation, path: Path) -> None:
        """One of the results, in the order of `files`."""
        if kind == "mask":
            segmentation.save(path)
        elif kind == "overlay":
            segmentation.overlay().save(path, quality=92)
        elif kind == "probabilities":
            np.savez_compressed(path, probabilities=np.float16(segmentation.probabilities))
        elif kind == "labelme_photo":
            shutil.copyfile(photo.path, path)  # LabelMe wants it beside the json, and training too
        elif kind == "labelme":
            beside = self.folder / self.files(photo)["labelme_photo"]
            segmentation.save_labelme(path, picture=beside, tolerance=EASY_OUTLINE)
        else:
            self._cutout(segmentation).save(path)

    def _cutout(self, segmentation: Segmentation) -> Image.Image:
        if segmentation.area()[self.cutout] == 0:
            height, width = segmentation.labels.shape
            return Image.new("RGBA", (width, height))
        return segmentation.cutout(self.cutout)


@dataclass(frozen=True)
class Outcome:
    """How one photo fared.

    Attributes:
        photo: Which.
        error: Why it has no results; None where it has.
        files: Their paths, by kind.
        area: The share of the photo that each class covers.
        skipped: Whether they were there already.
    """

    photo: Photo
    error: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    area: Mapping[str, float] = field(default_factory=dict[str, float])
    skipped: bool = False
