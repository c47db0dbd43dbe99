"""The best figures that any network can reach on a data set at a given output size. No torch here.

    ceiling = measure_ceiling(open_dataset("data/city"), grids=make_grids((4, 8)))
    print(ceiling.recommendation)

A network answers on a grid: one answer for so many pixels each way. What is finer than the grid is lost,
however well the network is trained, and the user's own masks say how much that is. Knows no network and no
picture.
"""

from __future__ import annotations

from pixelwise.ceiling.count import CeilingInterrupted, measure_ceiling
from pixelwise.ceiling.grid import STRIDES, Grid, Policy, make_grids
from pixelwise.ceiling.networks import NATIVE_STRIDES
from pixelwise.ceiling.result import Ceiling, GridCeiling, Level
from pixelwise.ceiling.state import NAME as STATE_NAME
from pixelwise.ceiling.tally import METHODS, Method

__all__ = [
    "METHODS",
    "NATIVE_STRIDES",
    "STATE_NAME",
    "STRIDES",
    "Ceiling",
    "CeilingInterrupted",
    "Grid",
    "GridCeiling",
    "Level",
    "Method",
    "Policy",
    "make_grids",
    "measure_ceiling",
]
