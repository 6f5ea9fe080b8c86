"""Deleting many weights of a model without a search for garbage after each."""

import contextlib
import gc


@contextlib.contextmanager
def quick_deletion():
    """Within it, a weight that is deleted from a layer costs next to nothing.

    Keras collects garbage at each, which takes half a second in a process that has
    imported much. What there is now is kept out of that, unless `gc.freeze` has been
    called before, as servers do that fork: then nothing is changed.

    Returns:
        context manager.
    """
    is_ours = gc.get_freeze_count() == 0
    if is_ours:
        gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            gc.unfreeze()
