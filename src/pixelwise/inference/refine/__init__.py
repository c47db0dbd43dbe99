"""Edge-aware refinement of masks: plain networks' borders are coarse, and the photo knows better.

NumPy and Pillow, and scipy for the CRF. Knows neither networks nor files.
"""

from __future__ import annotations

from typing import Literal

from pixelwise.inference.refine.crf import DenseCrf
from pixelwise.inference.refine.guided import GuidedFilter
from pixelwise.inference.refine.refinement import Refinement, decide_refined

__all__ = ["REFINEMENTS", "DenseCrf", "GuidedFilter", "Refinement", "RefinementName", "decide_refined"]

RefinementName = Literal["guided", "crf"]

REFINEMENTS: dict[RefinementName, type[GuidedFilter] | type[DenseCrf]] = {
    "guided": GuidedFilter,
    "crf": DenseCrf,
}
"""By its name; `REFINEMENTS["guided"]()` is one with the defaults."""
