"""Tests of `keras_lm/text/`: a package, so that two rooms may have a file of one name."""
