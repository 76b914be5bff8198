"""The end of a run of CMA-ES and the start of the next, against the rules of Hansen (2009)."""

import numpy as np
import pytest

from evorrn import CMAES
from evorrn.base.errors import ConfigError
from evorrn.strategies.evolution.restarts import ended, next_run, with_generation


def rastrigin(points):
    return -(10 * points.shape[1] + (points**2 - 10 * np.cos(2 * np.pi * points)).sum(axis=1))


def healthy(size=5, population=8):
    """Return the state of a run that no criterion ends, after 300 generations that all improved."""
    search = CMAES(restarts="ipop", population=population).search(np.ones(size), seed=0)
    method = dict(search.state["method"])
    better = np.linspace(-300.0, 0.0, 300)
    memory = np.stack([better, better - 1.0, np.zeros(300)], axis=1)
    return {**method, "update_count": 300, "memory": memory}


def test_a_run_in_good_health_goes_on():
    assert ended(healthy()) == ""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("MaxIter", lambda m: {"update_count": 100 + 50 * 64}),
        ("TolHistFun", lambda m: {"memory": np.tile([-3.0, -4.0, 0.0], (29, 1))}),
        ("EqualFunVals", lambda m: {"memory": m["memory"] + [0.0, 0.0, 1.0]}),
        ("TolX", lambda m: {"sigma": 1e-13}),
        ("TolUpSigma", lambda m: {"sigma": 1e21}),
        ("Stagnation", lambda m: {"memory": m["memory"][::-1]}),
        ("ConditionCov", lambda m: {"diagD": np.array([1.0, 1.0, 1.0, 1.0, 1.1e7])}),
        ("NoEffectAxis", lambda m: {"centroid": np.full(5, 1e17)}),
        ("NoEffectCoor", lambda m: {"centroid": np.array([1.0, 1e17, 1.0, 1.0, 1.0])}),
        ("Limit", lambda m: {"limit": 2400}),
    ],
)
def test_each_criterion_ends_a_run(name, change):
    method = healthy()
    assert ended({**method, **change(method)}) == name


def test_criteria_that_look_back_wait_until_they_can():
    method = healthy()
    assert (
        ended({**method, "memory": np.tile([-3.0, -4.0, 0.0], (28, 1))}) == ""
    )  # 10 + ceil(30 * 5 / 8) = 29
    assert ended({**method, "memory": method["memory"][:150][::-1]}) == ""
    assert ended({**method, "limit": 2401}) == ""


def test_the_memory_of_a_generation():
    fitness = np.array([1.0, 5.0, 5.0, -np.inf, 5.0, 2.0, 5.0, 3.0])
    memory = with_generation(np.zeros((0, 3)), fitness)
    np.testing.assert_array_equal(memory, [[5.0, 4.0, 1.0]])  # the 4th best, 1 + ceil(0.1 + 8 / 4), is equal
    fitness[6] = 4.0
    np.testing.assert_array_equal(with_generation(memory, fitness)[1], [5.0, 3.5, 0.0])
    long = np.zeros((20_000, 3))
    assert len(with_generation(with_generation(long, fitness), fitness)) == 20_001


def run_of(run, generations):
    """Return the state of a run that ended after a number of generations."""
    return {**run, "lambda_": run["population"], "update_count": generations}


def test_ipop_doubles_the_population():
    rng = np.random.default_rng(0)
    run, seen = next_run("ipop", None, 10, 2.0, rng), []
    for _ in range(5):
        seen.append((run["population"], run["first_sigma"], run["limit"]))
        run = next_run("ipop", run_of(run, 7), 10, 2.0, rng)
    assert seen == [(10 * 2**k, 2.0, None) for k in range(5)]


def test_bipop_gives_both_kinds_alike():
    rng = np.random.default_rng(1)
    run = next_run("bipop", None, 10, 2.0, rng)
    spent = {False: 0, True: 0}
    last = doubled = smalls = 0
    for number in range(400):
        population = run["population"]
        if number == 0:
            assert (population, run["small"]) == (10, False)
        elif run["small"]:
            smalls += 1
            assert spent[True] < spent[False]
            assert 10 <= population <= 0.5 * 10 * 2**doubled
            assert 0.02 <= run["first_sigma"] <= 2.0 and run["limit"] == last // 2
        else:
            doubled += 1
            assert spent[True] >= spent[False]
            assert (population, run["first_sigma"], run["limit"]) == (10 * 2**doubled, 2.0, None)
        generations = 50 if not run["small"] else max(1, run["limit"] // population // 2)
        if number:
            spent[run["small"]] += generations * population
        last = last if run["small"] else generations * population
        run = next_run("bipop", run_of(run, generations), 10, 2.0, rng)
    assert doubled >= 4 and smalls >= 10
    assert spent[True] == pytest.approx(spent[False], rel=0.6)


def test_none_starts_again_as_before():
    run = next_run("none", None, 10, 2.0, np.random.default_rng(0))
    assert next_run("none", run_of(run, 9), 10, 2.0, np.random.default_rng(0)) == run


@pytest.mark.thorough
@pytest.mark.parametrize("active", [False, True])
def test_restarts_find_what_one_run_misses(active):
    """Rastrigin's function in two dimensions has about a hundred local minima near the start."""
    assert solved(CMAES(population=12, active=active), 2500) <= 3
    for rule in ("ipop", "bipop"):
        assert solved(CMAES(population=12, active=active, restarts=rule), 8000) >= 5


def solved(strategy, most):
    found = 0
    for seed in range(6):
        search = strategy.search(np.random.default_rng(seed).uniform(-4, 4, 2), seed=seed, spread=2.0)
        while search.evaluations < most and search.best.fitness < -1e-8:
            points = search.ask()
            search.tell(points, rastrigin(points))
        found += search.best.fitness >= -1e-8
    return found


def test_restarts_are_in_the_history_and_keep_the_best():
    search = CMAES(restarts="ipop").search(np.full(2, 3.3), seed=3, spread=0.5)
    while search.evaluations < 4000:
        points = search.ask()
        search.tell(points, rastrigin(points))
    populations = np.array(search.history["population"])
    runs = np.array(search.history["restarts"])
    assert runs[-1] >= 2
    np.testing.assert_array_equal(populations, 6 * 2**runs)
    assert (np.diff(search.history["best_fitness"]) >= 0).all()


def test_an_unknown_rule_is_an_error_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"restarts: .*ipop"):
        CMAES(restarts="ipo")
