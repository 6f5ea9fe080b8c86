"""Tests of `keras_lm/pipelines/`: a package, so that two rooms may have a file of one name."""
