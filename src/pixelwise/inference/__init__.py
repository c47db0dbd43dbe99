"""From pictures to segmentations: sizes, batches, and probabilities back at the photo's size."""

from pixelwise.inference.photos import read_input
from pixelwise.inference.predictor import Input, Predictor, Sized

__all__ = ["Input", "Predictor", "Sized", "read_input"]
