import numpy as np
import pytest

from evorrn.kernels import threads


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")])
def test_memory_of_a_thread_is_large_enough_aligned_and_reused(dtype):
    small = threads.scratch(3, dtype)
    large = threads.scratch(100_001, dtype)
    assert small.dtype == large.dtype == dtype
    assert small.size >= 3
    assert large.size >= 100_001
    assert large.ctypes.data % threads.CACHE_LINE == 0
    assert threads.scratch(50, np.dtype("float32")).ctypes.data == large.ctypes.data


def test_threads_do_not_share_memory():
    here = threads.scratch(1000, np.dtype("float64"))
    there = threads._executor(1).submit(threads.scratch, 1000, np.dtype("float64")).result()
    assert not np.shares_memory(here, there)
