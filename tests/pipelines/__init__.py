"""Tests of `keras_lm/pipelines/`: two rooms may have files of one name."""
