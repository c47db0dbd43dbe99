"""A trained network as a file for other runtimes: ONNX, OpenVINO's own form, and TorchScript.

All take `(N, H, W, 3) uint8` RGB of any size; what they answer is their `Form`. The header of the model file,
classes and colours included, travels along.
"""

from pixelwise.export.write import SUFFIXES, Kind, export, kind_of, onnx_form

__all__ = ["SUFFIXES", "Kind", "export", "kind_of", "onnx_form"]
