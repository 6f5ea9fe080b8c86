"""Tests of `keras_lm/cli/`: a package, so that two rooms may have a file of one name."""
