"""Data sets written in other layouts; `convert` is the way in."""

from pixelwise.data.writers.convert import WRITERS, Converted, convert

__all__ = ["WRITERS", "Converted", "convert"]
