"""A search whose genomes are evaluated by an executor: the same bytes as without one."""

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, ShapeError


def sphere(genome):
    return -float((genome**2).sum())


def uneven(genome):
    """The sphere, where some genomes take longer than others, so that they are not done in their order."""
    time.sleep(0.002 if genome[0] > 0 else 0.0)
    return sphere(genome)


def saved(search, path):
    search.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("strategy", [evorrn.SNES(population=6), evorrn.CMAES(population=5), evorrn.SHADE()])
def test_threads_give_the_bytes_of_a_plain_loop(strategy, tmp_path):
    plain, threads = strategy.search(np.ones(3), seed=7), strategy.search(np.ones(3), seed=7)
    best = plain.run(sphere, "6gen")
    with ThreadPoolExecutor(3) as pool:
        threads.run(uneven, "2gen", pool)
        threads.run(uneven, "6gen", pool)
    assert plain.generations == 6 and best.fitness == plain.best.fitness
    assert saved(plain, tmp_path / "a") == saved(threads, tmp_path / "b")


@pytest.mark.thorough
def test_processes_give_the_bytes_of_a_plain_loop(tmp_path):
    plain, other = (evorrn.SNES(population=6).search(np.ones(3), seed=1) for _ in range(2))
    plain.run(sphere, "3gen")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        other.run(sphere, "3gen", pool)
    assert saved(plain, tmp_path / "a") == saved(other, tmp_path / "b")


def test_large_networks_are_evaluated_side_by_side():
    network = evorrn.Network(1, 1, hidden=3, dtype="float64")
    x = np.sin(np.arange(20.0))[None, :, None]
    batch = evorrn.Batch(x[:, :-1], x[:, 1:])
    search = evorrn.SNES(population=6).search(network.init(seed=0), seed=0)
    with ThreadPoolExecutor(2) as pool:
        best = search.run(lambda genome: network.fitness(genome[None], batch)[0], "3gen", pool)
    assert best.fitness == network.fitness(best.genome[None], batch)[0]


def test_after_an_error_in_the_function_the_same_genomes_are_evaluated_again(tmp_path):
    seen = []

    def failing(genome):
        seen.append(genome)
        if len(seen) == 4:
            raise ZeroDivisionError
        return sphere(genome)

    search, plain = (evorrn.SNES(population=6).search(np.ones(3), seed=1) for _ in range(2))
    with pytest.raises(ZeroDivisionError):
        search.run(failing, "2gen")
    search.run(failing, "2gen")
    plain.run(sphere, "2gen")
    assert np.array_equal(seen[0], seen[4]) and saved(search, tmp_path / "a") == saved(plain, tmp_path / "b")


@pytest.mark.parametrize("value", [None, "3", [1.0, 2.0], 1j])
def test_a_fitness_that_is_not_one_number_is_refused(value):
    search = evorrn.SNES(population=6).search(np.ones(3), seed=1)
    with pytest.raises(ShapeError, match="one number as the fitness of a genome"):
        search.run(lambda genome: value, "1gen")


def test_a_search_that_may_never_end_is_refused():
    with pytest.raises(ConfigError, match="may never reach loss = 0; add a limit of cost"):
        evorrn.SNES().search(np.ones(3)).run(sphere, evorrn.Budget(loss=0.0))
    assert (
        evorrn.SNES().search(np.ones(3)).run(sphere, evorrn.Budget(loss=-1.0, generations=2)).genome
        is not None
    )
