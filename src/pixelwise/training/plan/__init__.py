"""Settings proposed for a data set and a machine, each with its reason; nothing is trained.

`facts` says what was measured, `choice` what a proposal is, `recipe`, `room` and `length` decide: pure
functions of the facts, without a tensor, a file or a process. `make_plan` in `training.planner` measures and
asks them.
"""

from pixelwise.training.plan.choice import Choice, Draft, Estimate, Plan
from pixelwise.training.plan.facts import Cost, Facts, Network
from pixelwise.training.plan.length import propose_length
from pixelwise.training.plan.recipe import propose_recipe
from pixelwise.training.plan.room import DoesNotFitError, propose_room
from pixelwise.training.plan.warn import warnings

__all__ = [
    "Choice",
    "Cost",
    "DoesNotFitError",
    "Draft",
    "Estimate",
    "Facts",
    "Network",
    "Plan",
    "propose_length",
    "propose_recipe",
    "propose_room",
    "warnings",
]
