"""Tests of `keras_lm/layers/`: a package, so that two rooms may have a file of one name."""
