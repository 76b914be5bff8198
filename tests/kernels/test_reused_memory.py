"""Large arrays use memory again, and only when nothing refers to it."""

from __future__ import annotations

import numpy as np
import pytest

from evorrn.kernels.memory import room
from evorrn.kernels.threads import CACHE_LINE


@pytest.mark.parametrize("shape", [(3,), (0, 4), (70_001,), (2, 300, 65, 16)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_has_its_shape_and_begins_at_a_cache_line(shape: tuple[int, ...], dtype: type) -> None:
    array = room(shape, np.dtype(dtype))
    assert (
        array.shape == shape and array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable
    )
    assert array.size == 0 or array.ctypes.data % CACHE_LINE == 0


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    first = room((1234, 567), np.dtype(np.float32))
    place, view = first.ctypes.data, first[1:3].T
    del first
    while_viewed = room((1234, 567), np.dtype(np.float32))
    assert while_viewed.ctypes.data != place
    del view
    assert room((1234, 567), np.dtype(np.float32)).ctypes.data == place


def test_arrays_that_live_at_once_share_no_memory() -> None:
    arrays = [room((size,), np.dtype(np.float64)) for size in (20_000, 20_000, 19_000, 18_500)]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [set(array) for array in arrays] == [{0}, {1}, {2}, {3}]
