"""Tests of `keras_lm/backend/`: a package, so that two rooms may have a file of one name."""
