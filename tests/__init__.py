"""The tests: the same tree as keras_lm, one test file per source file."""
