"""Tests of `keras_lm/training/`: two rooms may have files of one name."""
