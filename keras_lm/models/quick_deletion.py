"""Deleting many weights of a model without a search for garbage after each."""

import contextlib
import gc


@contextlib.contextmanager
def quick_deletion():
    """Within it, a weight that is deleted from a layer costs next to nothing.

    Keras collects garbage at each, which takes half a second in a process that has
    imported much. What there is now is kept out of that.

    Returns:
        context manager.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
