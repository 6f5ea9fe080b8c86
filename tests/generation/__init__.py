"""Tests of `keras_lm/generation/`: a package, so that two rooms may have a file of one name."""
