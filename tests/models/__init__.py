"""Tests of `keras_lm/models/`: two rooms may have files of one name."""
