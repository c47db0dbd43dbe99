"""From pictures to segmentations: sizes, batches, and probabilities back at the photo's size."""

from pixelwise.inference.inputs import Input, Sized
from pixelwise.inference.photos import read_input
from pixelwise.inference.predictor import Predictor

__all__ = ["Input", "Predictor", "Sized", "read_input"]
