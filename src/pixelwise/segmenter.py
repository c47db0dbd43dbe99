"""A trained network with everything that belongs to it, from one file: the face of the Python side."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelwise.backends import Backend
from pixelwise.config import DataConfig
from pixelwise.data.raster import RasterSource
from pixelwise.errors import BackendError, DataError
from pixelwise.exported import model_checksum
from pixelwise.fastest import Choice
from pixelwise.files import sha256_of
from pixelwise.header import Answer, ModelHeader, form_of
from pixelwise.inference import Predictor, read_input
from pixelwise.inference.streamed import OnRows, Streamed, segment_file
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes

if TYPE_CHECKING:
    import torch

    from pixelwise.evaluation import Resolution
    from pixelwise.metrics import Metrics

Picture = str | os.PathLike[str] | npt.NDArray[np.uint8] | Image.Image


class Segmenter:
    """Segments pictures with a trained network, whatever computes it.

    Attributes:
        header: What the model's file says of it.
        predictor: The path from a picture to its segmentation.
        choice: Why this backend computes, where it was chosen by measuring.
        file: Where it was loaded from.
    """

    def __init__(
        self,
        backend: Backend,
        header: ModelHeader,
        *,
        network: torch.nn.Module | None = None,
        choice: Choice | None = None,
        at_once: int = 1,
    ) -> None:
        self.header = header
        self.choice = choice
        self.file: Path | None = None
        self.predictor = Predictor(backend, header.classes, header.size_policy, at_once=at_once)
        self._network = network

    @property
    def network(self) -> torch.nn.Module:
        """The `nn.Module`: `(N, 3, H, W)` raw RGB 0..255 in, `(N, K, H, W)` logits out.

        Prediction computes with a folded copy of its weights, made when the model was opened: to predict with
        changed ones, save them and load that file.

        Raises:
            BackendError: The model was exported, so there is none.
        """
        if self._network is None:
            raise BackendError("an exported model has no torch network: load the run's .safetensors for it")
        return self._network

    @property
    def classes(self) -> Classes:
        """Names and colours of the train ids."""
        return self.header.classes

    @property
    def provenance(self) -> Mapping[str, Any]:
        """How the network was trained, as its file tells."""
        return self.header.provenance

    def predict(self, picture: Picture, *, probabilities: bool = False) -> Segmentation:
        """Segments one picture of any size.

        A large JPEG is decoded small for the network where that is what training saw, so the path gives a
        slightly different answer from the array that was decoded from it.

        Args:
            picture: A path, `(H, W, 3) uint8` RGB, or a Pillow image.
            probabilities: Keeps all K probabilities of each pixel, not only the winner's.

        Raises:
            DataError: The file is no picture, or the array has another shape or type.
        """
        if isinstance(picture, str | os.PathLike):
            image = read_input(Path(picture), self.predictor)
        else:
            image = as_array(picture)
        return self.predictor.predict(image, probabilities=probabilities)

    def predict_file(
        self,
        picture: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        resume: bool = False,
        on_rows: OnRows = lambda done, total: None,
        on_note: Callable[[str], None] = lambda text: None,
    ) -> Streamed:
        """Segments a picture file of any size into a label map, a few rows at a time; needs `pixelwise[geo]`.

        Memory does not grow with the picture's height. A killed run leaves `.NAME.part`, which can be looked
        at, and gone on with.

        Args:
            picture: GeoTIFF, TIFF, PNG, JPEG or JPEG 2000.
            out: `.tif`, a tiled GeoTIFF that lies where the picture lies, or `.png`.
            resume: Go on where an earlier run with the same model, settings and picture ended.
            on_rows: Hears of (rows done, rows in all).
            on_note: Hears what people should know: how the picture is sized, and why.

        Raises:
            DataError: The picture cannot be read, or the disk is full: what is written stays.
            ConfigError: The ending is another one.
        """
        config, source_path = self.predictor.config, Path(picture)
        model = self.header.to_json() if self.file is None else model_checksum(self.file)
        facts = [model, asdict(config), sha256_of(source_path)]
        source = RasterSource(source_path, bands=config.bands, value_range=config.value_range)
        try:
            return segment_file(
                self.predictor,
                source,
                Path(out),
                identity=json.dumps(facts, sort_keys=True, default=str),
                resume=resume,
                on_rows=on_rows,
                on_note=on_note,
            )
        finally:
            source.close()

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Writes a model file again.

        Args:
            path: The file, `.safetensors`.
            half: Round convolution kernels to float16, which halves the file; they are computed with in
                float32 as before. Evaluate what you wrote: rounding changes the class of some pixels.

        Raises:
            ModelFileError: A kernel has values that float16 cannot hold.
            DataError: The disk is full, or the folder cannot be written.
        """
        from pixelwise.model_file import save_model

        save_model(Path(path), self.network, self.header, half=half)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        answer: Answer = "logits",
        resize: bool = True,
        half: bool = False,
    ) -> None:
        """Writes the network for another runtime: `.onnx`, OpenVINO's `.xml` with its `.bin`, `.torchscript`.

        The file takes `(N, H, W, 3) uint8` RGB of any size, answers at that size, and carries classes,
        colours and size policy; `load` opens the first two again, without torch. Nothing is compared here:
        `pixelwise export` on the command line writes the same file and proves it on pictures.

        Args:
            path: The file.
            answer: `logits` or `probabilities` `(N, K, H, W) float32`, or `labels` `(N, H, W) uint8`.
            resize: Bring pictures to the network's size inside, and the answer back to theirs, where the
                model's size policy is `resize`; else the network gets them as they are.
            half: Float16 weights, in half the bytes.

        Raises:
            ConfigError: Another ending, or a form that this kind of file does not have.
            BackendError: A package that writes it is not installed.
            DataError: The disk is full, or the folder cannot be written.
        """
        from pixelwise.export import export

        form = form_of(self.header, answer=answer, resize=resize, precision="half" if half else "float32")
        export(self.network, self.header, Path(path), form=form)

    def evaluate(
        self,
        data: str | os.PathLike[str],
        *,
        split: str = "val",
        config: DataConfig | None = None,
        resolution: Resolution = "photo",
    ) -> Metrics:
        """Scores on a labelled data set.

        Args:
            data: Its folder.
            split: `train`, `val`, `all`, or one of the data set's own, e.g. `test`.
            config: How the folder is read; the defaults recognise it.
            resolution: Compare at each photo's size, or at the network's as training does.

        Raises:
            DataError: The data cannot be read, or has other classes.
        """
        from pixelwise.data import open_dataset
        from pixelwise.evaluation import evaluate as evaluate_predictor

        dataset = open_dataset(Path(data), config or DataConfig())
        indices = dataset.indices(split)
        return evaluate_predictor(self.predictor, dataset.reader, indices, resolution=resolution).metrics


def as_array(picture: npt.NDArray[np.uint8] | Image.Image) -> npt.NDArray[np.uint8]:
    """A picture in memory as `(H, W, 3) uint8` RGB."""
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise DataError(f"a picture must be (H, W, 3) uint8 RGB, got {picture.shape} {picture.dtype}")
    return picture
