"""The three networks of the layer tables, in Keras itself.

Read by `make_keras_files.py` and, as peers, by the benchmarks; both run it in an environment with TensorFlow
and Keras. Knows neither torch nor pixelwise.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import keras
from keras import layers

HERE = Path(__file__).resolve().parent

Size = tuple[int, int]
"""`(height, width)`, both multiples of 32."""


class Names:
    """Makes layers and remembers which of ours each one is."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}

    def __call__(self, layer: layers.Layer, ours: str) -> layers.Layer:
        self.ours[layer.name] = ours
        return layer


def unet_xception(name: Names, size: Size) -> keras.Model:
    """F. Chollet, "Image segmentation with a U-Net-like architecture", keras.io, 2020; 3 classes."""
    inputs = keras.Input((*size, 3))
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
    # In float32 under every policy, as Keras' guide to mixed precision asks for.
    head = name(layers.Conv2D(3, 3, activation="softmax", padding="same", dtype="float32"), "head")
    return keras.Model(inputs, head(x))


def mobilenet_segnet(name: Names, size: Size) -> keras.Model:
    """By `mobilenet_segnet.tsv`; 2 classes."""
    inputs = keras.Input((*size, 3))

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


def deeplabv3plus(name: Names, size: Size) -> keras.Model:
    """By `deeplabv3plus.tsv`, epsilons as in the Keras port of DeepLabv3+; 2 classes, output stride 8."""
    inputs = keras.Input((*size, 3))

    def conv(
        x: object, filters: int, keras_name: str, ours: str, *, stride: int = 1, side: int = 1
    ) -> object:
        layer = layers.Conv2D(filters, side, strides=stride, padding="same", use_bias=False, name=keras_name)
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
        norm(conv(inputs, 32, "Conv", "encoder.stem", stride=2, side=3), "Conv", "encoder.stem")
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
    pooled = layers.Resizing(size[0] // 8, size[1] // 8)(pooled)
    pixel = conv(x, 256, "aspp0", "aspp.pixel")
    pixel = layers.ReLU()(norm(pixel, "aspp0", "aspp.pixel", 1e-5))
    branches = [separable(x, f"aspp{i + 1}", f"aspp.atrous.{i}", rate) for i, rate in enumerate((6, 12, 18))]
    x = layers.Concatenate()([pooled, pixel, *branches])
    x = norm(conv(x, 256, "concat_projection", "aspp.project"), "concat_projection", "aspp.project", 1e-5)
    x = layers.Dropout(0.1)(layers.ReLU()(x))
    x = layers.Resizing(size[0] // 4, size[1] // 4)(x)
    fine = norm(conv(skip, 48, "feature_projection0", "skip"), "feature_projection0", "skip", 1e-5)
    x = layers.Concatenate()([x, layers.ReLU()(fine)])
    x = separable(x, "decoder_conv0", "refine.0", 1)
    x = separable(x, "decoder_conv1", "refine.1", 1)
    x = name(layers.Conv2D(2, 1, padding="same"), "head")(x)
    x = layers.Resizing(*size)(x)
    return keras.Model(inputs, layers.Softmax()(layers.Reshape((-1, 2))(x)))


NETWORKS: dict[str, Callable[[Names, Size], keras.Model]] = {
    "unet-xception": unet_xception,
    "mobilenet-segnet": mobilenet_segnet,
    "deeplabv3plus": deeplabv3plus,
}

TABLES: dict[str, tuple[str, Size]] = {
    "unet-xception": ("unet_xception.tsv", (160, 160)),
    "mobilenet-segnet": ("mobilenet-segnet.tsv", (416, 416)),
    "deeplabv3plus": ("deeplabv3plus.tsv", (416, 416)),
}
"""The table beside this file, and the size of its pictures."""

Row = tuple[str, str, str]  # kind, output and number of parameters, as the tables have them


def build(network: str, size: Size) -> keras.Model:
    """A network that answers probabilities, and whose layers are those of its table.

    Raises:
        ValueError: They are not: something else would be measured.
    """
    model = NETWORKS[network](Names(), size)
    table, at = TABLES[network]
    wrong = differences(model, HERE / table, outputs=size == at)
    if wrong:
        raise ValueError(f"{network} in Keras has other layers than {table}: {'; '.join(wrong)}")
    return model


def differences(model: keras.Model, table: Path, *, outputs: bool) -> list[str]:
    """Layers with parameters that only the model or only the table has; branches have no order.

    Args:
        model: In Keras.
        table: Its `.tsv`.
        outputs: Compare the sizes of what the layers answer too, which holds for one size of pictures only.
    """
    with table.open() as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["params"] != "0"]
    expected = [(row["kind"], row["output"] if outputs else "", row["params"]) for row in rows]
    found: list[Row] = []
    for layer in model.layers:
        shape = "x".join(map(str, layer.output.shape[1:])) if outputs else ""
        if layer.weights:
            found.append((type(layer).__name__, shape, str(layer.count_params())))
    return [f"only in Keras {row}" for row in _less(found, expected)] + [
        f"only in the table {row}" for row in _less(expected, found)
    ]


def _less(rows: list[Row], others: list[Row]) -> list[Row]:
    return sorted((Counter(rows) - Counter(others)).elements())
