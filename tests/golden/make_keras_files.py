"""Writes `keras/*.json.gz` and `keras/*.npz`: how Keras lays out its files, and what its networks answer.

Run it in a throwaway environment with TensorFlow (made with tensorflow-cpu 2.21 and Keras 3.15); the tests
only read the results:

    python tests/golden/make_keras_files.py

The three networks are written from their layer tables, with drawn weights. The files themselves are tens of
megabytes, so what is kept of them is everything but the numbers: groups, data sets, shapes, attributes. The
tests fill that in with the same drawn weights and have a file as Keras writes it.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from drawn_weights import draw_pictures  # noqa: E402
from keras_layouts import keras_arrays  # noqa: E402

SIZE = (64, 96)


class Names:
    """Makes layers and remembers which of ours each one is."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}

    def __call__(self, layer: layers.Layer, ours: str) -> layers.Layer:
        self.ours[layer.name] = ours
        return layer


def unet_xception(name: Names) -> keras.Model:
    """F. Chollet, "Image segmentation with a U-Net-like architecture", keras.io, 2020; 3 classes."""
    inputs = keras.Input((*SIZE, 3))
    x = name(layers.Conv2D(32, 3, strides=2, padding="same"), "stem.conv")(inputs)
    x = layers.Activation("relu")(name(layers.BatchNormalization(), "stem.bn")(x))
    before = x
    for i, filters in enumerate((64, 128, 256)):
        for j in (1, 2):
            x = layers.Activation("relu")(x)
            x = name(layers.SeparableConv2D(filters, 3, padding="same"), f"encoder.{i}.conv{j}")(x)
            x = name(layers.BatchNormalization(), f"encoder.{i}.bn{j}")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")
        before = x = layers.add([x, name(residual, f"encoder.{i}.residual")(before)])
    for i, filters in enumerate((256, 128, 64, 32)):
        for j in (1, 2):
            x = layers.Activation("relu")(x)
            x = name(layers.Conv2DTranspose(filters, 3, padding="same"), f"decoder.{i}.conv{j}")(x)
            x = name(layers.BatchNormalization(), f"decoder.{i}.bn{j}")(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(before)
        conv = name(layers.Conv2D(filters, 1, padding="same"), f"decoder.{i}.residual")
        before = x = layers.add([x, conv(residual)])
    head = name(layers.Conv2D(3, 3, activation="softmax", padding="same"), "head")
    return keras.Model(inputs, head(x))


def mobilenet_segnet(name: Names) -> keras.Model:
    """By `mobilenet_segnet.tsv`; 2 classes."""
    inputs = keras.Input((*SIZE, 3))

    def norm_relu(x: object, keras_name: str, ours: str) -> object:
        x = name(layers.BatchNormalization(name=f"{keras_name}_bn"), f"{ours}.bn")(x)
        return layers.ReLU(6.0, name=f"{keras_name}_relu")(x)

    x = layers.ZeroPadding2D(1, name="conv1_pad")(inputs)
    conv = layers.Conv2D(32, 3, strides=2, use_bias=False, name="conv1")
    x = norm_relu(name(conv, "encoder.stem.conv")(x), "conv1", "encoder.stem")
    widths = (64, 128, 128, 256, 256, *(512,) * 6)
    for i, filters in enumerate(widths, start=1):
        stride = 2 if i in (2, 4, 6) else 1
        ours = f"encoder.blocks.{i - 1}"
        x = layers.ZeroPadding2D(1, name=f"conv_pad_{i}")(x)
        conv = layers.DepthwiseConv2D(3, strides=stride, use_bias=False, name=f"conv_dw_{i}")
        x = norm_relu(name(conv, f"{ours}.depthwise.conv")(x), f"conv_dw_{i}", f"{ours}.depthwise")
        conv = layers.Conv2D(filters, 1, use_bias=False, name=f"conv_pw_{i}")
        x = norm_relu(name(conv, f"{ours}.pointwise.conv")(x), f"conv_pw_{i}", f"{ours}.pointwise")
    x = name(layers.Conv2D(512, 3), "first")(layers.ZeroPadding2D(1)(x))
    x = name(layers.BatchNormalization(), "first_bn")(x)
    for i, filters in enumerate((256, 128, 64)):
        x = layers.ZeroPadding2D(1)(layers.UpSampling2D(2)(x))
        x = name(layers.Conv2D(filters, 3), f"decoder.{i}.conv")(x)
        x = name(layers.BatchNormalization(), f"decoder.{i}.bn")(x)
    x = name(layers.Conv2D(2, 3, padding="same"), "head")(x)
    return keras.Model(inputs, layers.Softmax()(layers.Reshape((-1, 2))(x)))


def deeplabv3plus(name: Names) -> keras.Model:
    """By `deeplabv3plus.tsv`, epsilons as in the Keras port of DeepLabv3+; 2 classes, output stride 8."""
    inputs = keras.Input((*SIZE, 3))

    def conv(
        x: object, filters: int, keras_name: str, ours: str, *, stride: int = 1, size: int = 1
    ) -> object:
        layer = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False, name=keras_name)
        return name(layer, f"{ours}.conv")(x)

    def depthwise(x: object, keras_name: str, ours: str, *, stride: int = 1, rate: int = 1) -> object:
        layer = layers.DepthwiseConv2D(
            3,
            strides=stride,
            dilation_rate=rate,
            padding="same",
            use_bias=False,
            name=f"{keras_name}_depthwise",
        )
        return name(layer, f"{ours}.conv")(x)

    def norm(x: object, keras_name: str, ours: str, eps: float = 1e-3) -> object:
        return name(layers.BatchNormalization(epsilon=eps, name=f"{keras_name}_BN"), f"{ours}.bn")(x)

    x = layers.ReLU(6.0)(
        norm(conv(inputs, 32, "Conv", "encoder.stem", stride=2, size=3), "Conv", "encoder.stem")
    )
    stages = (
        (16, 1, 1, 1),
        (24, 2, 2, 6),
        (32, 3, 2, 6),
        (64, 4, 1, 6),
        (96, 3, 1, 6),
        (160, 3, 1, 6),
        (320, 1, 1, 6),
    )
    number, channels, skip = 0, 32, None
    for filters, count, first_stride, expansion in stages:
        for place in range(count):
            stride = first_stride if place == 0 else 1
            rate = 1 if number < 7 else 2 if number < 14 else 4
            keras_name = "expanded_conv" + (f"_{number}" if number else "")
            ours, before = f"encoder.blocks.{number}", x
            if expansion > 1:
                x = conv(x, channels * expansion, f"{keras_name}_expand", f"{ours}.expand")
                x = layers.ReLU(6.0)(norm(x, f"{keras_name}_expand", f"{ours}.expand"))
            x = depthwise(x, keras_name, f"{ours}.depthwise", stride=stride, rate=rate)
            x = layers.ReLU(6.0)(norm(x, f"{keras_name}_depthwise", f"{ours}.depthwise"))
            x = conv(x, filters, f"{keras_name}_project", f"{ours}.project")
            x = norm(x, f"{keras_name}_project", f"{ours}.project")
            if stride == 1 and channels == filters:
                x = layers.Add(name=f"{keras_name}_add")([before, x])
            channels, number = filters, number + 1
            if number == 3:
                skip = x

    def separable(x: object, keras_name: str, ours: str, rate: int) -> object:
        x = depthwise(x, keras_name, f"{ours}.depthwise", rate=rate)
        x = layers.ReLU()(norm(x, f"{keras_name}_depthwise", f"{ours}.depthwise", 1e-5))
        x = conv(x, 256, f"{keras_name}_pointwise", f"{ours}.pointwise")
        return layers.ReLU()(norm(x, f"{keras_name}_pointwise", f"{ours}.pointwise", 1e-5))

    pooled = layers.GlobalAveragePooling2D(keepdims=True)(x)
    pooled = conv(pooled, 256, "image_pooling", "aspp.image_pooling")
    pooled = layers.ReLU()(norm(pooled, "image_pooling", "aspp.image_pooling", 1e-5))
    pooled = layers.Resizing(SIZE[0] // 8, SIZE[1] // 8)(pooled)
    pixel = conv(x, 256, "aspp0", "aspp.pixel")
    pixel = layers.ReLU()(norm(pixel, "aspp0", "aspp.pixel", 1e-5))
    branches = [separable(x, f"aspp{i + 1}", f"aspp.atrous.{i}", rate) for i, rate in enumerate((6, 12, 18))]
    x = layers.Concatenate()([pooled, pixel, *branches])
    x = norm(conv(x, 256, "concat_projection", "aspp.project"), "concat_projection", "aspp.project", 1e-5)
    x = layers.Dropout(0.1)(layers.ReLU()(x))
    x = layers.Resizing(SIZE[0] // 4, SIZE[1] // 4)(x)
    fine = norm(conv(skip, 48, "feature_projection0", "skip"), "feature_projection0", "skip", 1e-5)
    x = layers.Concatenate()([x, layers.ReLU()(fine)])
    x = separable(x, "decoder_conv0", "refine.0", 1)
    x = separable(x, "decoder_conv1", "refine.1", 1)
    x = name(layers.Conv2D(2, 1, padding="same"), "head")(x)
    x = layers.Resizing(*SIZE)(x)
    return keras.Model(inputs, layers.Softmax()(layers.Reshape((-1, 2))(x)))


NETWORKS: dict[str, Callable[[Names], keras.Model]] = {
    "unet-xception": unet_xception,
    "mobilenet-segnet": mobilenet_segnet,
    "deeplabv3plus": deeplabv3plus,
}
INPUTS = {"unet-xception": "identity", "mobilenet-segnet": "symmetric", "deeplabv3plus": "symmetric"}


def tree(file: h5py.File, where: dict[bytes, tuple[str, int]]) -> dict[str, object]:
    """Groups with their attributes, and data sets with what fills them: everything but the numbers.

    Args:
        file: An open file.
        where: Bytes of a weight -> our layer, and its place among that layer's weights.
    """
    groups: dict[str, dict[str, object]] = {}
    data: dict[str, object] = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            data[path] = where[item[()].tobytes()] if item.size > 1 else item[()].item()
        else:
            groups[path] = {key: plain(value) for key, value in item.attrs.items()}

    visit("/", file)
    file.visititems(visit)
    return {"groups": groups, "datasets": data}


def plain(value: object) -> object:
    """An attribute as JSON."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    """Builds, fills, answers, saves, and describes."""
    layers.BatchNormalization()  # so that names don't begin at zero, as in a notebook that ran before
    folder = HERE / "keras"
    folder.mkdir(exist_ok=True)
    for network, build in NETWORKS.items():
        name = Names()
        model = build(name)
        where: dict[bytes, tuple[str, int]] = {}
        filled: dict[str, tuple[str, list[tuple[int, ...]]]] = {}
        for layer in model.layers:
            if not layer.weights:
                continue
            shapes = [tuple(w.shape) for w in layer.weights]
            arrays = keras_arrays(type(layer).__name__, name.ours[layer.name], shapes)
            layer.set_weights(arrays)
            for place, array in enumerate(arrays):
                key = np.ascontiguousarray(array).tobytes()
                assert key not in where
                where[key] = (name.ours[layer.name], place)
            filled[name.ours[layer.name]] = (type(layer).__name__, shapes)
        pictures = draw_pictures(2, *SIZE)
        given = pictures if INPUTS[network] == "identity" else pictures / 127.5 - 1
        answer = np.asarray(model(given, training=False)).astype(np.float32)
        document = {"layers": filled, "files": {}}
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            model.save(root / "whole.h5")
            model.save_weights(root / "new.weights.h5")
            model.save(root / "whole.keras")
            with h5py.File(root / "legacy.h5", "w") as file:
                from keras.src.legacy.saving import legacy_h5_format

                legacy_h5_format.save_weights_to_hdf5_group(file, model)
            for kind in ("whole.h5", "legacy.h5", "new.weights.h5"):
                with h5py.File(root / kind) as file:
                    document["files"][kind] = tree(file, where)
            with zipfile.ZipFile(root / "whole.keras") as archive:
                texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".json")}
                archive.extract("model.weights.h5", root)
                with h5py.File(root / "model.weights.h5") as file:
                    document["files"]["whole.keras"] = {"texts": texts, **tree(file, where)}
        text = json.dumps(document, indent=0)
        (folder / f"{network}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        np.savez_compressed(folder / f"{network}.npz", probabilities=answer.astype(np.float32))
        print(network, model.count_params(), answer.shape, answer.std(axis=1).mean(), answer.min())  # noqa: T201


if __name__ == "__main__":
    main()
