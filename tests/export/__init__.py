"""Tests of `keras_lm/export/`: a package, so that two rooms may have a file of one name."""
