"""Times two or more calls in turn, so that a drift of the machine meets them alike."""

import statistics
import time


def side_by_side(calls, repeats=5):
    """Median seconds of each call, run alternately after one call to warm up.

    Args:
        calls: dict of functions without arguments that return when the work is done.
        repeats: int, at least 1.

    Returns:
        dict of float, seconds.
    """
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(took) for name, took in seconds.items()}
