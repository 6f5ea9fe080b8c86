"""The command `keras-lm`: each sub-command is a few calls of the package."""

from keras_lm.cli.app import app

__all__ = ["app"]
