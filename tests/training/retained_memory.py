"""Prints how many pages the kernel gives for each of ten texts, one after another.

Run in a fresh process, with "retain" behind the name or without it. A text is of 64
MiB, 16,384 pages, none of them huge; in the main thread, and in one that began later.
"""

import ctypes
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

from keras_lm.training.retain_memory import retain_memory

TIMES, SIZE = 10, 2**26


def count_pages():
    b"x" * SIZE  # the first is always new
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        b"x" * SIZE
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // TIMES


PR_SET_THP_DISABLE = 41  # of the kernel's linux/prctl.h
assert ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
if "retain" in sys.argv:
    assert retain_memory()
print(count_pages())
with ThreadPoolExecutor(1) as pool:
    print(pool.submit(count_pages).result())
