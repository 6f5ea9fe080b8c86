"""Tests of `keras_lm/layers/`: two rooms may have files of one name."""
