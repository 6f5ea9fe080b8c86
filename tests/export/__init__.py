"""Tests of `keras_lm/export/`: two rooms may have files of one name."""
