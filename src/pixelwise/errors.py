"""The errors that pixelwise raises for what a user can mend.

    PixelwiseError
    ├── DataError        a picture, a mask, a folder or an archive is not what it should be
    ├── ConfigError      an argument, a flag or a configuration file asks for what cannot be
    ├── ModelFileError   a model file or a checkpoint is truncated, foreign, newer, or does not fit
    └── BackendError     a runtime is missing or cannot do what was asked

Every message is one sentence, or two: what was expected, what came, where, and what to do next.
The command line prints it without a traceback and ends with exit code 2; anything else that escapes is a
bug of ours.
"""

from __future__ import annotations


class PixelwiseError(Exception):
    """Something that the user can mend; the message says how."""


class DataError(PixelwiseError):
    """A picture, mask, folder or archive is not what was expected."""


class ConfigError(PixelwiseError):
    """An argument or a configuration file asks for something impossible."""


class ModelFileError(PixelwiseError):
    """A model file or checkpoint cannot be read, or does not fit what it is used for."""


class BackendError(PixelwiseError):
    """A runtime is missing or cannot do what was asked of it."""
