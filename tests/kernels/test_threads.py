import _thread
import threading
import time

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


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_jobs_of_several_works_run_once_each_whatever_the_threads(count, monkeypatch):
    monkeypatch.setattr(threads, "_count", count)
    sizes, done = (2, 0, 3, 1), []

    def later(number):
        def run(first, last):
            done.extend((number, job) for job in range(first, last))

        return threads.Later(threads.Work(sizes[number], run), lambda: (number, len(done)))

    results = threads.finished([later(number) for number in range(len(sizes))])
    assert results == [(number, sum(sizes)) for number in range(len(sizes))]
    assert sorted(done) == [(number, job) for number, size in enumerate(sizes) for job in range(size)]


def test_an_interrupt_is_raised_when_all_threads_are_done(monkeypatch):
    """Ctrl-C comes while this thread waits, twice: another thread still writes to the arrays."""
    monkeypatch.setattr(threads, "_count", 2)
    done = []

    def kernel(first, last):
        if first:
            for _ in range(2):
                _thread.interrupt_main()
                time.sleep(0.05)
            done.append(first)

    with pytest.raises(KeyboardInterrupt):
        threads.share(2, kernel)
    assert done == [1]


def test_what_a_thread_shares_while_it_does_its_share_it_does_alone(monkeypatch):
    """Two threads that wait for each other would wait forever."""
    monkeypatch.setattr(threads, "_count", 2)
    found = []

    def inner(first, last):
        found.append((threading.current_thread(), first, last))

    def outer(first, last):
        if not first:
            threads.share(6, inner)

    threads.share(2, outer)
    assert found == [(threading.current_thread(), 0, 6)]
    threads.share(6, inner)
    assert len(found) == 3
