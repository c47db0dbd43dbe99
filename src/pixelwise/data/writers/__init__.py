"""Data sets written in other layouts; `convert` is the way in."""

from pixelwise.data.writers.convert import LAYOUTS, WRITERS, Converted, convert

__all__ = ["LAYOUTS", "WRITERS", "Converted", "convert"]
