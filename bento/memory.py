"""Memory of a process that runs for long: what it frees goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

# As in glibc's malloc.h. Left to itself it keeps heaps for each thread, and raises the size from which memory goes back
# when it is freed: tensors of changing sizes then leave holes that nothing fills.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_GIVEN_BACK, _HEAPS = 128 * 1024, 2


def give_back_freed_memory() -> None:
    """Have freed memory given back. Nothing happens where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((_ARENA_MAX, _HEAPS), (_MMAP_THRESHOLD, _GIVEN_BACK), (_TRIM_THRESHOLD, _GIVEN_BACK)):
            mallopt(option, value)


def leave_alone_what_stays() -> None:
    """Have Python's collector pass over all that lives now: models and libraries are hundreds of thousands of objects.

    What was passed over before is looked at once more, so that a former release goes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
