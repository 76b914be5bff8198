"""Seconds of training leave out what is spent on compiling, whoever compiles: time is a number that the test moves on."""

import time

import numpy as np
import pytest
from numba.core import event

from evorrn import Batch, Budget, Network, RandomSearch
from evorrn.engine.model import Modules
from evorrn.kernels import compile_time


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def compile_for(clock, seconds, depth=1):
    """Do what numba does around a function that it compiles, which compiles others."""
    event.start_event(compile_time.EVENT)
    clock[0] += seconds
    if depth > 1:
        compile_for(clock, 0.0, depth - 1)
    event.end_event(compile_time.EVENT)


def trained(monkeypatch, before, **budget):
    """Return the result of a training of which every step does something before."""
    step = RandomSearch.step

    def longer_step(self, problem, state):
        before(problem)
        return step(self, problem, state)

    monkeypatch.setattr(RandomSearch, "step", longer_step)
    x = np.random.default_rng(0).standard_normal((2, 5, 1))
    return RandomSearch().fit(Network(1, 1, hidden=2), Batch(x, x), seed=0, budget=Budget(**budget))


def spent(result):
    return result.meter.seconds, result.meter.compile_seconds


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("seconds", [None, 5])
def test_kernels_that_a_strategy_compiles_are_no_seconds_of_training(clock, monkeypatch, depth, seconds):
    def before(problem):
        clock[0] += 2.0
        compile_for(clock, 28.0, depth)
        clock[0] += 0.5

    result = trained(monkeypatch, before, generations=3, seconds=seconds)
    assert spent(result) == ((5.0, 56.0) if seconds else (7.5, 84.0))
    assert result.stopped_by == ("seconds" if seconds else "generations")


def test_what_a_network_compiles_is_counted_once_and_for_the_thread_that_waits(clock):
    before, modules = compile_time.spent(), Modules()
    modules.timed(lambda: compile_for(clock, 4.0))
    assert (modules.compile_seconds, compile_time.spent()) == (4.0, before + 4.0)
    compile_for(clock, 3.0)
    assert (modules.compile_seconds, compile_time.spent()) == (4.0, before + 7.0)


def test_another_network_of_a_strategy_compiles_in_no_seconds_of_training(clock, monkeypatch):
    others = Modules()

    def before(problem):
        others.timed(lambda: compile_for(clock, 12.0))
        clock[0] += 0.5

    assert spent(trained(monkeypatch, before, generations=2)) == (1.0, 24.0)


def test_what_the_network_of_a_run_compiles_is_subtracted_once(clock, monkeypatch):
    def before(problem):
        with problem.compiling():
            problem.network._modules.timed(lambda: compile_for(clock, 4.0))
        compile_for(clock, 3.0)
        clock[0] += 10.0

    assert spent(trained(monkeypatch, before, generations=2)) == (20.0, 14.0)
