"""Tests of `keras_lm/text/`: two rooms may have files of one name."""
