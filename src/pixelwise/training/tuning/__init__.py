"""Many runs with different settings, to find the better ones. Only this package knows Optuna."""

from pixelwise.training.tuning.result import Tuning
from pixelwise.training.tuning.trial import Trial
from pixelwise.training.tuning.tune import resume_tuning, tune

__all__ = ["Trial", "Tuning", "resume_tuning", "tune"]
