"""The covariance family keeps its contract with small, large, equal, infinite and bounded values."""

import math
import tracemalloc
import warnings

import numpy as np
import pytest

from evorrn import CMAES, LMMAES, SNES, XNES, SepCMAES
from evorrn.base.errors import ConfigError
from evorrn.base.files import tree_bytes
from evorrn.strategies.evolution import covariance
from evorrn.testing import check_strategy

FAMILY = [CMAES, SepCMAES, LMMAES, SNES, XNES]
SETTINGS = {
    "cma-es-ipop": CMAES(restarts="ipop", restart_after=1),
    "cma-es-bipop": CMAES(restarts="bipop", restart_after=1),
    "cma-es-bounded": CMAES(lower=-0.5, upper=0.5, step_sizes={"genome": 2.0, "readout": 0.5}),
    "sep-cma-es-decay": SepCMAES(weight_decay=0.1, population=6),
    "lm-ma-es-restart": LMMAES(restart_after=1, directions=2),
    "snes-raw": SNES(shaping="raw"),
    "xnes-few": XNES(population=4, rate_shape=0.1),
}


def sphere(points):
    return -np.square(points).sum(axis=1)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "cma-es-bounded"])
def test_the_contract_with_other_settings(name):
    check_strategy(SETTINGS[name], steps=5)


@pytest.mark.parametrize("strategy", FAMILY)
@pytest.mark.parametrize("size", [1, 2])
def test_one_and_two_genes_are_enough(strategy, size):
    search = strategy().search(np.full(size, 3.0), seed=1)
    while search.evaluations < 5000 and search.best.fitness < -1e-8:
        points = search.ask()
        search.tell(points, sphere(points))
    assert search.best.fitness >= -1e-8


@pytest.mark.parametrize("strategy", FAMILY)
def test_the_smallest_population_is_enough(strategy):
    least = 4 if strategy is XNES else 2
    search = strategy(population=least).search(np.full(3, 3.0), seed=1)
    for _ in range(1500):
        points = search.ask()
        assert points.shape == (least, 3)
        search.tell(points, sphere(points))
    assert search.best.fitness > -1e-3


def test_a_population_that_is_too_small_is_an_error_with_the_minimum():
    for strategy in FAMILY:
        with pytest.raises(ConfigError, match="population: expected a value >= 2, got 1"):
            strategy(population=1)
    with pytest.raises(ConfigError, match="population: xnes needs at least 4, got 3"):
        XNES(population=3)


@pytest.mark.parametrize("strategy", FAMILY)
def test_a_step_size_of_zero_is_refused(strategy):
    for sigma in (0.0, -1.0):
        with pytest.raises(ConfigError, match="sigma: expected a value > 0"):
            strategy(sigma=sigma)


@pytest.mark.parametrize("strategy", FAMILY)
def test_population_and_step_size_by_default(strategy):
    search = strategy().search(np.zeros(50), seed=0, spread=0.3)
    points = search.ask()
    assert len(points) == 4 + int(3 * math.log(50)) == 15
    points = strategy(population=400).search(np.zeros(50), seed=0, spread=0.3).ask()
    assert points.std() == pytest.approx(0.3, rel=0.02)
    points = strategy(population=400, sigma=2.0).search(np.zeros(50), seed=0, spread=0.3).ask()
    assert points.std() == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("strategy", FAMILY)
def test_what_is_not_finite_is_the_worst(strategy):
    """Fitness is NaN in half of the space."""
    search = strategy().search(np.full(4, 2.0), seed=2)
    while search.evaluations < 6000:
        points = search.ask()
        values = sphere(points - 1.0)
        values[points[:, 1] < 0.5] = [np.nan, np.inf, -np.inf][search.generations % 3]
        search.tell(points, values)
    assert search.best.fitness > -1e-6


@pytest.mark.parametrize("strategy", FAMILY)
def test_a_generation_without_finite_fitness_teaches_nothing(strategy):
    search = strategy().search(np.zeros(4), seed=2)
    points = search.ask()
    before = search.state["method"]
    search.tell(points, np.full(len(points), np.nan))
    after = search.state["method"]
    assert all(np.array_equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("strategy", FAMILY)
def test_equal_fitness_draws_nowhere(strategy):
    """On a plateau the mean drifts at random, and does not move where utilities are shared."""
    moved = []
    for seed in range(40):
        search = strategy(population=10).search(np.zeros(6), seed=seed)
        search.tell(search.ask(), np.full(10, 4.0))
        moved.append(strategy().centre(search.state["method"]))
    moved = np.array(moved)
    assert np.isfinite(moved).all()
    if strategy in (SNES, XNES):
        np.testing.assert_allclose(moved, 0.0, atol=1e-15)
    else:
        error = moved.std(axis=0) / math.sqrt(len(moved))
        assert (np.abs(moved.mean(axis=0)) < 4 * error).all()


@pytest.mark.parametrize("strategy", FAMILY)
def test_bounds_hold_and_the_edge_is_found(strategy):
    search = strategy(lower=-1.0, upper=1.0).search(np.zeros(4), seed=0, spread=0.5)
    while search.evaluations < 4000:
        points = search.ask()
        assert np.abs(points).max() <= 1
        search.tell(points, points.sum(axis=1))
    assert search.best.fitness > 3.99


@pytest.mark.parametrize("strategy", FAMILY)
def test_a_block_has_the_step_size_that_was_asked_for(strategy):
    chosen = strategy(step_sizes={"a": 3.0}, population=600)
    search = chosen.search(np.zeros(20), seed=0, spread=0.1, layout={"a": (2, 5), "b": (10,)})
    points = search.ask()
    assert points[:, :10].std() == pytest.approx(0.3, rel=0.05)
    assert points[:, 10:].std() == pytest.approx(0.1, rel=0.05)
    search.tell(points, sphere(points))
    assert {"step_size.a", "step_size.b"} <= set(search.history)


@pytest.mark.parametrize("strategy", FAMILY)
def test_the_number_of_threads_has_no_say(strategy):
    from threadpoolctl import threadpool_limits

    def states(threads):
        with threadpool_limits(threads):
            search = strategy(population=64).search(np.zeros(300), seed=0)
            for _ in range(4):
                points = search.ask()
                search.tell(points, -np.abs(points - 1.0).sum(axis=1))
        return tree_bytes(search.state)

    assert states(1) == states(2)


@pytest.mark.parametrize("strategy", [SepCMAES, LMMAES, SNES])
def test_the_linear_ones_need_memory_in_proportion_to_the_genome(strategy):
    def peak(size):
        tracemalloc.start()
        search = strategy().search(np.zeros(size), seed=0)
        points = search.ask()
        search.tell(points, sphere(points))
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest / points.nbytes

    assert peak(100_000) < 1.2 * peak(10_000) < 14


@pytest.mark.parametrize("strategy", FAMILY)
def test_the_noise_of_a_generation_is_not_kept_after_it(strategy):
    search = strategy(population=50).search(np.zeros(20), seed=0)
    points = search.ask()
    search.tell(points, sphere(points))
    kept = search.state["method"]
    for name, value in kept.items():
        assert not isinstance(value, np.ndarray) or value.base is None or value.base.size <= 400, name


def test_cma_es_survives_where_nothing_is_left_to_gain():
    """The minimum is found to the last bits; then selection is random, and C and sigma drift for a long time."""
    search = CMAES().search(np.full(2, 1.0), seed=0)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for _ in range(1500):
            points = search.ask()
            search.tell(points, -np.square(points - 3.0).sum(axis=1))
        assert search.best.fitness > -1e-28
        shrunk = {**search.state["method"], "C": np.full((2, 2), 1e-320), "decomposed": 0}
        search.state = {**search.state, "method": shrunk}
        for _ in range(3):
            points = search.ask()
            search.tell(points, -np.square(points - 3.0).sum(axis=1))
    assert np.isfinite(points).all() and search.state["method"]["diagD"].min() > 0


@pytest.mark.parametrize("kind", [CMAES, XNES])
def test_a_large_covariance_is_warned_of_once_with_what_does_without(kind, monkeypatch):
    monkeypatch.setattr(covariance, "LARGE", 8)
    with pytest.warns(
        UserWarning, match=rf"strategy {kind.name}: .* 8 x 8 genes .* sep-cma-es, lm-ma-es and snes"
    ) as told:
        search = kind(restart_after=2).search(np.ones(8))
        search.run(lambda genome: 0.0, "9gen")
    assert len(told) == 1 and search.history["restarts"][-1] > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind().search(np.ones(7))
        for other in (SepCMAES, LMMAES, SNES):
            other().search(np.ones(8))


@pytest.mark.parametrize("kind", [CMAES, XNES])
def test_a_covariance_that_does_not_fit_into_memory_is_refused(kind):
    with pytest.raises(
        ConfigError, match=r"takes .* of memory, and this machine has .* snes are for so many"
    ):
        kind().search(np.ones(2_000_000))


def test_a_covariance_does_not_depend_on_how_many_rows_change_at_a_time(monkeypatch):
    size = int(np.random.default_rng().integers(2, 40))
    found = []
    for numbers in (1, 3 * size + 1, 2**15):
        monkeypatch.setattr(covariance, "TOGETHER", numbers)
        search = CMAES().search(np.ones(size), seed=3)
        search.run(lambda genome: -float(genome @ genome), "9gen")
        found.append(search.state["method"]["C"].tobytes())
    assert len(set(found)) == 1
