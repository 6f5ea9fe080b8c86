"""Tests of `keras_lm/generation/`: two rooms may have files of one name."""
