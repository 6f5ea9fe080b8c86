"""Tests of `keras_lm/cli/`: two rooms may have files of one name."""
