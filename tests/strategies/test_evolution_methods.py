"""Properties of single strategies: pairs, elites, learned step sizes, comparisons of individuals."""

import numpy as np
import pytest
from methods import run, sphere
from stand_in import problem

from evorrn import (
    PGPE,
    SHADE,
    DifferentialEvolution,
    OnePlusOneES,
    OpenAIES,
    ParticleSwarm,
    TruncationGA,
)
from evorrn.base.errors import ConfigError
from evorrn.strategies.evolution.differential_evolution import another
from evorrn.strategies.evolution.pgpe import clipup


def test_mirrored_samples_are_exact_and_need_an_even_population():
    for kind in (OpenAIES, PGPE):
        strategy = kind(population=10, sigma=0.5)
        state = strategy.search(np.zeros(7), seed=1).state  # without rounding errors around zero
        _, genomes = strategy.ask(state)
        np.testing.assert_array_equal(genomes[:5], -genomes[5:])
        assert len(np.unique(np.abs(genomes))) == 35
        with pytest.raises(ConfigError, match=rf"{kind.name} samples in pairs .* even .* at least 2, got 7"):
            kind(population=7)


@pytest.mark.parametrize(
    ("kind", "population", "sentence"),
    [
        (TruncationGA, 1, "expected a value >= 2, got 1"),
        (OpenAIES, 1, "expected a value >= 2, got 1"),
        (OnePlusOneES, 0, "expected a value >= 1, got 0"),
        (DifferentialEvolution, 3, "de needs at least 4, got 3"),
        (SHADE, 3, "shade needs at least 4, got 3"),
        (ParticleSwarm, 1, "expected a value >= 2, got 1"),
    ],
)
def test_populations_too_small_are_refused(kind, population, sentence):
    with pytest.raises(ConfigError, match=f"population: {sentence}"):
        kind(population=population)
    smallest = kind(population=kind.least_population)
    assert run(smallest, sphere, 5)[0].best.fitness > -np.inf


@pytest.mark.parametrize("kind", [TruncationGA, OpenAIES, PGPE, OnePlusOneES])
def test_a_step_size_of_zero_is_refused(kind):
    for sigma in (0, -1.0):
        with pytest.raises(ConfigError, match="sigma: expected a value > 0"):
            kind(sigma=sigma)


def test_settings_that_do_not_go_together():
    with pytest.raises(ConfigError, match="sum of cognitive and social above 4, got 3"):
        ParticleSwarm(cognitive=1, social=2)
    with pytest.raises(ConfigError, match="parents: expected at most the population of 8, got 9"):
        TruncationGA(population=8, parents=9)
    with pytest.raises(ConfigError, match=r"variant: .*best/1"):
        DifferentialEvolution(variant="best/2")


def test_the_elite_lives_on_bit_for_bit():
    """The best of a generation is in the next one, first and unchanged, also at bounds."""
    _, asked = run(TruncationGA(population=12, lower=-3.0, upper=2.1), sphere, 30)
    best = [genomes[sphere(genomes).argmax()] for genomes in asked]
    for champion, following in zip(best, asked[1:]):
        np.testing.assert_array_equal(champion, following[0])
        assert not (following[1:] == champion).all(axis=1).any()
    assert np.diff([sphere(champion[None])[0] for champion in best]).min() >= 0


def test_the_elite_is_the_finalist_that_is_best_on_all_sequences():
    asked = problem()
    strategy = TruncationGA(population=12, sequences=1, finalists=4)
    state = strategy.start(asked, np.random.default_rng(0))
    calls, true = [], asked.fitness

    def fitness(genomes, sequences=None):
        calls.append((np.array(genomes), sequences))
        return true(genomes, sequences)

    asked.fitness = fitness
    turned = 0
    for _ in range(12):
        calls.clear()
        paid = asked.meter.evaluations
        state = strategy.step(asked, state)
        (genomes, sequences), (finalists, everything) = calls
        assert everything is None and asked.meter.evaluations - paid == 12 + 4
        first = np.argsort(-true(genomes, sequences))
        np.testing.assert_array_equal(finalists, genomes[first[:4]])
        elite = finalists[true(finalists).argmax()]
        turned += (elite != finalists[0]).any()
        np.testing.assert_array_equal(state["method"]["elite"], [elite])
        np.testing.assert_array_equal(state["method"]["parents"][0], elite)
        np.testing.assert_array_equal(strategy.ask(state)[1][0], elite)
    assert turned  # not always the best on the sample of sequences


def test_step_sizes_of_pgpe_grow_where_far_is_better_and_shrink_where_it_is_worse():
    for sign in (1.0, -1.0):
        strategy = PGPE(population=200, sigma=0.5, rate=1e-9)
        state = strategy.search(np.zeros(2), seed=0).state
        state, genomes = strategy.ask(state)
        fitness = sign * genomes[:, 0] ** 2  # the second gene has no effect
        sigma = strategy.tell(state, genomes, fitness)["method"]["sigma"]
        assert sign * (sigma[0] - 0.5) > 10 * abs(sigma[1] - 0.5)


def test_clipup_uses_only_the_direction_and_limits_the_speed():
    rest = np.zeros(2)
    for size in (1e-30, 1.0, 1e30):
        np.testing.assert_allclose(clipup(np.array([3.0, 4.0]) * size, rest, 0.5, 0.9, 9.0), [0.3, 0.4])
    np.testing.assert_allclose(clipup(np.array([3.0, 4.0]), np.array([6.0, 8.0]), 0.5, 0.9, 2.0), [1.2, 1.6])
    np.testing.assert_allclose(clipup(rest, np.array([1.0, 0.0]), 0.5, 0.9, 2.0), [0.9, 0.0])


def test_others_are_different_and_equally_likely():
    rng, counts = np.random.default_rng(0), np.zeros(6)
    for _ in range(2000):
        taken = np.array([[0], [3], [5]])
        for _ in range(3):
            taken = np.column_stack([taken, another(rng, taken, 6)])
        assert all(len(set(row)) == 4 and max(row) < 6 for row in taken.tolist())
        counts += np.bincount(taken[1], minlength=6)
    assert counts[3] == 2000
    others = counts[[0, 1, 2, 4, 5]]  # each is drawn with 3 / 5: deviation of the share 0.011
    np.testing.assert_allclose(others / 2000, 0.6, atol=0.05)


def test_the_step_size_rests_at_one_success_in_five():
    strategy = OnePlusOneES(sigma=1.0, factor=1.5)
    search = strategy.search(np.zeros(2), seed=0)
    search.tell(search.ask(), np.zeros(1))
    for number in range(1, 101):
        search.tell(search.ask(), np.array([number if number % 5 == 0 else -1.0]))
    assert search.state["method"]["sigma"] == pytest.approx(1.0)
    search.tell(search.ask(), np.array([1e9]))
    assert search.state["method"]["sigma"] == pytest.approx(1.5)


def test_what_was_not_finite_teaches_shade_nothing():
    strategy = SHADE(population=6, memory=4)
    search = strategy.search(np.zeros(2), seed=0)
    search.tell(search.ask(), np.array([-np.inf, -np.inf, -1.0, -1.0, -1.0, -1.0]))
    search.tell(search.ask(), np.array([5.0, 6.0, -2.0, -2.0, -2.0, -2.0]))
    method = search.state["method"]
    np.testing.assert_array_equal(method["kept_fitness"], [5, 6, -1, -1, -1, -1])
    assert (method["memory_factor"] == 0.5).all() and len(method["archive"]) == 0 and method["place"] == 0
