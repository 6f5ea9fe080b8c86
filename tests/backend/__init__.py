"""Tests of `keras_lm/backend/`: two rooms may have files of one name."""
