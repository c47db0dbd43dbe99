"""From pictures to segmentations: sizes, batches, and probabilities back at the photo's size."""

from pixelwise.inference.predictor import Predictor

__all__ = ["Predictor"]
