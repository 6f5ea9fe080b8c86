"""Tests of `keras_lm/models/`: a package, so that two rooms may have a file of one name."""
