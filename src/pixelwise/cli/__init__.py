"""The command line. One command, one file; each is a dataclass whose fields are its flags.

Exit codes: 0 done, 1 the answer is "no", 2 wrong use or bad input, 130 interrupted.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from pixelwise.cli.ceiling import Ceiling
from pixelwise.cli.check import Check
from pixelwise.cli.convert import Convert
from pixelwise.cli.demo import Demo
from pixelwise.cli.download import Download
from pixelwise.cli.evaluate import Evaluate
from pixelwise.cli.export import Export
from pixelwise.cli.flags import given_settings
from pixelwise.cli.import_keras import ImportKeras
from pixelwise.cli.models import Models
from pixelwise.cli.predict import Predict
from pixelwise.cli.show_augment import ShowAugment
from pixelwise.cli.summary import Summary
from pixelwise.cli.terminal import complain
from pixelwise.cli.train import Train
from pixelwise.cli.tune import Tune
from pixelwise.cli.video import Video
from pixelwise.errors import PixelwiseError

_Command = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Models, tyro.conf.subcommand("models")]
    | Annotated[Summary, tyro.conf.subcommand("summary")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Ceiling, tyro.conf.subcommand("ceiling")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[ShowAugment, tyro.conf.subcommand("show-augment")]
    | Annotated[Tune, tyro.conf.subcommand("tune")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Video, tyro.conf.subcommand("video")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Download, tyro.conf.subcommand("download")]
    | Annotated[ImportKeras, tyro.conf.subcommand("import-keras")]
)

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; what the user can mend becomes one sentence on stderr."""
    try:
        command = tyro.cli(
            _Command,
            prog="pixelwise",
            description="Semantic segmentation: every pixel of a picture gets a class.",
            args=arguments,
            config=(tyro.conf.OmitArgPrefixes,),
        )
        if isinstance(command, Train):
            words = sys.argv[1:] if arguments is None else arguments
            command = dataclasses.replace(command, given=given_settings(words))
        return command.run()
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except PixelwiseError as error:
        complain(str(error))
        return 2
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error, and nothing may be written any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        complain(f"{error.filename or 'a file'}: {error.strerror or error}")
        return 2
