"""A trained network with everything that belongs to it, from one file: the face of the Python side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from pixelwise.backends.torch import TorchBackend
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError, DataError
from pixelwise.evaluation import Resolution
from pixelwise.evaluation import evaluate as evaluate_predictor
from pixelwise.inference import Predictor, read_input
from pixelwise.metrics import Metrics
from pixelwise.model_file import ModelHeader, load_model
from pixelwise.types import Classes, Segmentation

Picture = str | os.PathLike[str] | npt.NDArray[np.uint8] | Image.Image


class Segmenter:
    """Segments pictures with a trained network.

    Attributes:
        network: The `nn.Module`: `(N, 3, H, W)` raw RGB 0..255 in, `(N, K, H, W)` logits out.
        header: What the model file says of it.
        predictor: The path from a picture to its segmentation.
    """

    def __init__(self, network: torch.nn.Module, header: ModelHeader, *, device: torch.device) -> None:
        self.network = network
        self.header = header
        self.predictor = Predictor(TorchBackend(network, device), header.classes, header.size_policy)

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
            image = read_input(Path(picture), self.predictor.size_policy)
        else:
            image = as_array(picture)
        return self.predictor.predict(image, probabilities=probabilities)

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
        dataset = open_dataset(Path(data), config or DataConfig())
        indices = dataset.indices(split)
        return evaluate_predictor(self.predictor, dataset.reader, indices, resolution=resolution).metrics


def load(path: str | os.PathLike[str], *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Segmenter:
    """Opens a model file; nothing else is needed.

    Raises:
        ModelFileError: Missing, truncated, a pickle, newer than this version, or not a model file.
        ConfigError: A GPU was asked for and there is none.
    """
    network, header = load_model(Path(path))
    return Segmenter(network, header, device=choose_device(device))


def evaluate(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    split: str = "val",
    config: DataConfig | None = None,
    resolution: Resolution = "photo",
) -> Metrics:
    """Scores of a model file on labelled pictures; see `load` and `Segmenter.evaluate`."""
    return load(model).evaluate(data, split=split, config=config, resolution=resolution)


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one.

    Raises:
        ConfigError: A GPU was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda was asked for, but torch sees no CUDA GPU: use --device auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def as_array(picture: npt.NDArray[np.uint8] | Image.Image) -> npt.NDArray[np.uint8]:
    """A picture in memory as `(H, W, 3) uint8` RGB."""
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise DataError(f"a picture must be (H, W, 3) uint8 RGB, got {picture.shape} {picture.dtype}")
    return picture
