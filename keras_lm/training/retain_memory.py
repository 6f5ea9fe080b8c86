"""Memory that was freed stays in the process, for the next step."""

import ctypes
import sys

# The parameters' numbers in glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
SETTINGS = {M_TRIM_THRESHOLD: -1, M_MMAP_MAX: 0, M_ARENA_MAX: 1}


def retain_memory() -> bool:
    """Lets training on a processor use the same memory again in each step.

    Of itself glibc, the C library of most Linux systems, gives large arrays back to the
    kernel when they are freed. The next step asks for them again, and the kernel clears
    page after page: up to a quarter of a step (`benchmarks/RESULTS.md`). After this
    call nothing is given back before the process ends, and its peak may be somewhat
    higher, for what is free lies in pieces. It is about the whole process, and for all
    of its threads only if it comes before they have begun: after the imports, before
    the first array. `keras-lm` does it where it trains.

    Returns:
        bool, whether it was done; `False` on another system, or with another C library.

    Example:
        >>> keras_lm.training.retain_memory()
        True

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    # No shortcut: each is to be set, whatever came of the others.
    done = [library.mallopt(name, value) for name, value in SETTINGS.items()]
    return all(done)
