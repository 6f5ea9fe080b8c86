"""`python -m keras_lm` is `keras-lm`."""

from keras_lm.cli import app

if __name__ == "__main__":
    app()
