"""Writes `unet_xception_keras.npz`: what Keras itself computes for the network, with drawn weights.

Run it in a throwaway environment with TensorFlow (made with tensorflow-cpu 2.21 and Keras 3.15); the tests
only read the result:

    python tests/golden/make_unet_xception_keras.py

The model is written as in F. Chollet, "Image segmentation with a U-Net-like architecture", keras.io, 2020,
with linear logits, and its layers carry the names of our modules, so that both sides draw the same weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from drawn_weights import draw, draw_masks, draw_pictures  # noqa: E402

CLASSES, SIZE, STEPS, RATE = 3, (48, 64), 6, 1e-4


def build() -> keras.Model:
    """The network, with our names for its layers."""
    inputs = keras.Input((*SIZE, 3))
    x = layers.Conv2D(32, 3, strides=2, padding="same", name="stem.conv")(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization(name="stem.bn")(x))
    before = x
    for i, filters in enumerate((64, 128, 256)):
        for j in (1, 2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(filters, 3, padding="same", name=f"encoder.{i}.conv{j}")(x)
            x = layers.BatchNormalization(name=f"encoder.{i}.bn{j}")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same", name=f"encoder.{i}.residual")(before)
        before = x = layers.add([x, residual])
    for i, filters in enumerate((256, 128, 64, 32)):
        for j in (1, 2):
            x = layers.Activation("relu")(x)
            x = layers.Conv2DTranspose(filters, 3, padding="same", name=f"decoder.{i}.conv{j}")(x)
            x = layers.BatchNormalization(name=f"decoder.{i}.bn{j}")(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(before)
        residual = layers.Conv2D(filters, 1, padding="same", name=f"decoder.{i}.residual")(residual)
        before = x = layers.add([x, residual])
    return keras.Model(inputs, layers.Conv2D(CLASSES, 3, padding="same", name="head")(x))


def fill(model: keras.Model) -> None:
    """Gives every layer its drawn weights, turned to Keras' layouts."""
    for layer in model.layers:
        shapes = [tuple(w.shape) for w in layer.weights]
        if isinstance(layer, layers.BatchNormalization):
            parts = ("gamma", "bias", "running_mean", "running_var")
            layer.set_weights([draw(layer.name, part, shapes[0]) for part in parts])
        elif isinstance(layer, layers.SeparableConv2D):
            (_, _, c, _), (_, _, _, o), _ = shapes
            depthwise = draw(layer.name, "depthwise", (c, 1, 3, 3)).transpose(2, 3, 0, 1)
            pointwise = draw(layer.name, "pointwise", (o, c, 1, 1)).transpose(2, 3, 1, 0)
            layer.set_weights([depthwise, pointwise, draw(layer.name, "bias", (o,))])
        elif shapes:
            # (h, w, in, out) from (out, in, h, w), and (h, w, out, in) from (in, out, h, w): the same turn.
            h, w, a, b = shapes[0]
            kernel = draw(layer.name, "weight", (b, a, h, w)).transpose(2, 3, 1, 0)
            layer.set_weights([kernel, draw(layer.name, "bias", shapes[1])])


def main() -> None:
    """Computes logits in evaluation, and losses and weights of a few training steps."""
    model = build()
    fill(model)
    pictures, masks = draw_pictures(2, *SIZE), draw_masks(2, *SIZE, CLASSES)
    logits = np.asarray(model(pictures, training=False)).transpose(0, 3, 1, 2)
    trained = np.asarray(model(pictures, training=True)).transpose(0, 3, 1, 2)
    fill(model)  # the training-mode call moved the running statistics
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = []
    for _ in range(STEPS):
        model.reset_metrics()  # or Keras reports the mean over the steps so far
        losses.append(float(model.train_on_batch(pictures, masks)))
    np.savez_compressed(
        HERE / "unet_xception_keras.npz",
        logits=logits,
        training_logits=trained[:, :, ::4, ::4],
        losses=np.asarray(losses, np.float32),
        versions=np.asarray([keras.__version__, keras.backend.backend()]),
    )
    print(losses, np.abs(logits).mean(), np.abs(trained).mean())  # noqa: T201


if __name__ == "__main__":
    main()
