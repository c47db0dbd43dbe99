"""From a folder of labelled pictures to a model file. The only part that knows the training engine."""

from pixelwise.training.ended import Run
from pixelwise.training.events import Listener, LogListener, StepEvent
from pixelwise.training.launch import speaks
from pixelwise.training.loop import TrainingInterrupted
from pixelwise.training.ranks import RankLostError
from pixelwise.training.train import resume, train

__all__ = [
    "Listener",
    "LogListener",
    "RankLostError",
    "Run",
    "StepEvent",
    "TrainingInterrupted",
    "resume",
    "speaks",
    "train",
]
