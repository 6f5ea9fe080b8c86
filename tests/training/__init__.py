"""Tests of `keras_lm/training/`: a package, so that two rooms may have a file of one name."""
