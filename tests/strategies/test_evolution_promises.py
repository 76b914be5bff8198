"""Properties of all evolution strategies: signs, ties, bounds, decay, transforms, sequences, restarts."""

import numpy as np
import pytest
from methods import BY_RANK, KEEPING, STRATEGIES, label, of, run, sphere
from stand_in import LinearNetwork, problem

from evorrn import (
    CMAES,
    ESP,
    LMMAES,
    PGPE,
    SNES,
    XNES,
    Batch,
    CoSyNE,
    Evolino,
    GeneticAlgorithm,
    OpenAIES,
    SepCMAES,
)
from evorrn.testing import check_strategy
from evorrn.training.problem import Problem

OTHERS = [
    GeneticAlgorithm(population=16),
    *(kind() for kind in (CMAES, SepCMAES, LMMAES, SNES, XNES, ESP, CoSyNE, Evolino)),
]
every = pytest.mark.parametrize("strategy", STRATEGIES, ids=label)
every_one = pytest.mark.parametrize("strategy", [*STRATEGIES, *OTHERS], ids=label)
keeping = pytest.mark.parametrize("strategy", KEEPING, ids=label)


@every
@pytest.mark.parametrize(
    "settings", [{}, {"sequences": 1, "finalists": 2, "lower": -0.5, "upper": 0.5, "restart_after": 2}]
)
def test_the_contract_is_kept(strategy, settings):
    check_strategy(of(strategy, **settings), None if settings else problem, steps=4)


@every_one
def test_higher_is_better(strategy):
    """On a linear function the search goes up."""
    ends = []
    for sign in (1.0, -1.0):
        _, asked = run(strategy, lambda x, sign=sign: sign * x.sum(axis=1), 40)
        ends.append(asked[-1].mean())
    assert ends[0] > 2.0 + 0.1 and ends[1] < 2.0 - 0.1


@every_one
def test_the_best_so_far_is_raw_and_never_lost(strategy):
    """The best fitness is raw, also when weight decay is larger than the fitness."""
    told = []

    def function(x):
        values = np.sin(7 * x).sum(axis=1) + 10
        told.extend(zip(values, x))
        return values

    search, _ = run(of(strategy, weight_decay=50.0), function, 25)
    value, genome = max(told, key=lambda pair: pair[0])
    assert search.best.fitness == value
    np.testing.assert_array_equal(search.best.genome, genome)
    assert search.history["best_fitness"] == sorted(search.history["best_fitness"])


@every
def test_weight_decay_shrinks_weights(strategy):
    def flat(x):
        return np.zeros(len(x))

    start = (3.0, -4.0, 5.0)
    _, without = run(strategy, flat, 120, start, spread=3.0)
    _, decayed = run(of(strategy, weight_decay=0.5), flat, 120, start, spread=3.0)
    sizes = [np.sqrt(np.mean(asked[-1] ** 2)) for asked in (without, decayed)]
    assert sizes[1] < 0.8 * np.sqrt(50 / 3) and sizes[1] < 0.8 * sizes[0]


@pytest.mark.parametrize("strategy", BY_RANK, ids=label)
def test_a_monotone_transform_of_fitness_changes_nothing(strategy):
    def transformed(x):
        values = sphere(x)
        return 7 * values**3

    one, two = (run(strategy, function, 20)[1] for function in (sphere, transformed))
    for first, second in zip(one, two):
        np.testing.assert_array_equal(first, second)


def test_raw_fitness_is_invariant_only_to_scale_and_offset():
    for strategy in (OpenAIES(population=16, shaping="raw"), PGPE(population=16, shaping="raw")):
        one = run(strategy, sphere, 10)[1][-1]
        same = run(strategy, lambda x: 4 * sphere(x) + 8, 10)[1][-1]
        other = run(strategy, lambda x: -(sphere(x) ** 2), 10)[1][-1]
        np.testing.assert_allclose(one, same, rtol=1e-9)
        assert np.abs(one - other).max() > 1e-3


@every
def test_equal_fitness_teaches_nothing(strategy):
    search, _ = run(strategy, lambda x: np.full(len(x), -3.0), 1)
    before = search.state["method"]
    for _ in range(30):
        genomes = search.ask()
        search.tell(genomes, np.full(len(genomes), -3.0))
    after = search.state["method"]
    for name in ("mean", "sigma", "memory_factor", "memory_crossover"):
        if name in before:
            np.testing.assert_array_equal(after[name], before[name])
    if strategy.name in ("de", "pso"):
        np.testing.assert_array_equal(after["kept"], before["kept"])
    if strategy.name == "truncation-ga":
        np.testing.assert_array_equal(after["elite"], before["elite"])


@every
def test_fitness_that_is_not_finite_is_survived(strategy):
    """Where half of the space gives NaN or infinity the search continues in the other half."""

    def torn(x):
        values = np.where(x[:, 0] < 1.5, np.nan, sphere(x))
        return np.where(x[:, 1] > 3.5, np.inf, values)

    search, _ = run(strategy, torn, 150)
    assert -1.3 < search.best.fitness <= -0.25  # the optimum is 0.25 at (1.5, 1, 1); the start has 3
    search, asked = run(strategy, lambda x: np.full(len(x), np.nan), 5)
    assert search.best.genome is None and np.isfinite(asked[-1]).all()


@every
def test_genomes_are_inside_the_bounds_always(strategy):
    bounded = of(strategy, lower=-0.25, upper=1.5)
    wide = {"sigma": 2.0} if hasattr(strategy, "sigma") else {}
    _, asked = run(of(bounded, **wide), lambda x: x.sum(axis=1), 30, spread=5.0)
    everything = np.concatenate(asked)
    assert everything.min() >= -0.25 and everything.max() <= 1.5
    assert np.ptp(everything, axis=0).min() > 1.0  # and the search covers the space
    for side in ({"lower": 1.9}, {"upper": 2.1}):
        everything = np.concatenate(run(of(strategy, **side), sphere, 10)[1])
        assert everything.min() >= side.get("lower", -np.inf) and everything.max() <= side.get(
            "upper", np.inf
        )


@every
def test_one_gene_is_enough(strategy):
    search, _ = run(strategy, sphere, 400 if strategy.population == 1 else 60, start=(3.0,), spread=5.0)
    assert search.best.fitness > -1e-2


@every
def test_blocks_have_step_sizes_of_their_own(strategy):
    layout = {"slow.W": (2, 10), "fast": (20,)}
    factors = of(
        strategy, step_sizes={"slow": 0.01}, **({"parents": 16} if strategy.name == "truncation-ga" else {})
    )
    search, asked = run(factors, lambda x: np.arange(len(x)) * 1.0, 4, start=np.zeros(40), layout=layout)
    moved = np.concatenate(asked).std(axis=0)
    assert moved[:20].max() < 0.1 * moved[20:].min()
    slow, fast = (search.state["record"][f"step_size.{name}"] for name in layout)
    assert slow == pytest.approx(0.01 * fast, rel=0.7)


@keeping
def test_kept_points_are_evaluated_on_the_sequences_of_their_trials(strategy):
    """Individuals are compared on the same sequences, and the further evaluations are charged."""
    asked = problem()
    calls, true = [], asked.fitness

    def fitness(genomes, sequences=None):
        calls.append((np.array(genomes), sequences, true(genomes, sequences)))
        return calls[-1][2]

    asked.fitness = fitness
    strategy = of(strategy, sequences=2, finalists=3)
    kept = 1 if strategy.name == "one-plus-one-es" else strategy.population
    state = strategy.start(asked, np.random.default_rng(0))
    for number in range(6):
        calls.clear()
        before, paid = state, asked.meter.evaluations
        state = strategy.step(asked, state)
        (genomes, sequences, values), (finalists, everything, worths) = calls
        assert len(sequences) == 2 and everything is None
        wanted = kept if number == 0 else kept + strategy.population
        assert len(genomes) == wanted and len(finalists) == min(3, wanted)
        assert asked.meter.evaluations - paid == wanted + len(finalists)
        best = np.sort(values)[::-1][: len(finalists)]
        np.testing.assert_allclose(np.sort(true(finalists, sequences))[::-1], best)
        assert state["best_fitness"] == max(worths.max(), before["best_fitness"])
        np.testing.assert_allclose(true(state["best_genome"][None])[0], state["best_fitness"])
        if number:
            np.testing.assert_array_equal(genomes[:kept], before["method"]["kept"])
        method = state["method"]
        np.testing.assert_allclose(method["kept_fitness"], true(method["kept"], sequences))


@pytest.mark.parametrize("strategy", [*STRATEGIES, GeneticAlgorithm(population=8)], ids=label)
@pytest.mark.parametrize("sequences", [1, 3])
def test_sequences_without_a_scored_step_are_not_drawn(strategy, sequences):
    rng = np.random.default_rng(2)
    mask = np.zeros((8, 5), dtype=bool)
    mask[[1, 4, 6], [0, 3, 4]] = True
    ragged = Problem(
        LinearNetwork(2, 1), Batch(rng.normal(size=(8, 5, 2)), rng.normal(size=(8, 5, 1)), mask=mask)
    )
    asked, true = set(), ragged.fitness

    def fitness(genomes, sequences=None):
        asked.update([] if sequences is None else sequences.tolist())
        return true(genomes, sequences)

    ragged.fitness = fitness
    chosen = of(strategy, sequences=sequences)
    state = chosen.start(ragged, np.random.default_rng(0))
    for _ in range(12):
        state = chosen.step(ragged, state)
    assert asked == ({1, 4, 6} if sequences == 1 else set())  # three of three are all scored sequences


@keeping
def test_a_restart_forgets_what_was_kept(strategy):
    search, asked = run(of(strategy, restart_after=3), lambda x: np.zeros(len(x)), 5)
    assert search.state["restarts"] == 1 and search.best.fitness == 0
    assert len(asked[4]) == len(asked[0]) and np.abs(asked[4][0] - asked[0][0]).min() > 1e-6
