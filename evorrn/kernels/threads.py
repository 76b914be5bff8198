"""How many threads the kernels use."""

from __future__ import annotations

from evorrn.errors import EvorrnError


def set_threads(count: int) -> None:
    """Let kernels use `count` threads from now on; results do not depend on it.

    Parameters
    ----------
    count : int
        From 1 to the number of cores that numba found when it was imported.
    """
    import numba

    most = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        raise EvorrnError(f"threads: expected a whole number from 1 to {most}, got {count!r}")
    numba.set_num_threads(count)
