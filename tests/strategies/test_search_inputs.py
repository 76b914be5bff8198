"""Wrong inputs of a search are errors, and a fitness of any size keeps its state finite."""

import numpy as np
import pytest

from evorrn import CMAES, PGPE, SNES, DifferentialEvolution, GeneticAlgorithm, OpenAIES
from evorrn.base.errors import ConfigError, ShapeError


@pytest.mark.parametrize("strategy", [CMAES(), GeneticAlgorithm(population=8)])
@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"spread": -1.0}, ConfigError, "spread: expected a number of at least 0, got -1.0"),
        ({"spread": np.nan}, ConfigError, "spread: .* got nan"),
        ({"spread": np.inf}, ConfigError, "spread: .* got inf"),
        ({"spread": "wide"}, ConfigError, "spread: .* got 'wide'"),
        ({"seed": -1}, ConfigError, "seed: expected a whole number of at least 0, got -1"),
        ({"seed": 1.5}, ConfigError, "seed: .* got 1.5"),
        ({"seed": None}, ConfigError, "seed: .* got None"),
        ({"start": "abc"}, ShapeError, "start: expected numbers"),
        ({"start": [[1.0, 2.0]]}, ShapeError, r"start: expected a finite vector \(n,\), got shape \(1, 2\)"),
        ({"start": [1.0, np.nan]}, ShapeError, "start: expected a finite vector"),
        ({"layout": {"a": (1,)}}, ShapeError, "layout: expected blocks of 2 genes in all, got 1"),
    ],
)
def test_a_search_that_cannot_begin_is_refused(strategy, given, kind, message):
    start = given.get("start", np.zeros(2))
    with pytest.raises(kind, match=message):
        strategy.search(start, **{name: value for name, value in given.items() if name != "start"})


@pytest.mark.parametrize(
    ("fitness", "message"),
    [
        (np.zeros((7, 1)), r"fitness of shape \(7,\), got \(7, 1\)"),
        (np.zeros(6), r"fitness of shape \(7,\), got \(6,\)"),
        (0.0, r"fitness of shape \(7,\), got \(\)"),
        (["a"] * 7, "fitness: expected numbers"),
        ([[1.0], [1.0, 2.0]], "fitness: expected a rectangular array"),
    ],
)
def test_fitness_that_is_none_leaves_the_question_open(fitness, message):
    search = CMAES(population=7).search(np.zeros(3))
    genomes = search.ask()
    with pytest.raises(ShapeError, match=message):
        search.tell(genomes, fitness)
    with pytest.raises(ShapeError, match="of the last ask"):
        search.tell(genomes[::-1], np.zeros(7))
    assert search.evaluations == 0
    np.testing.assert_array_equal(search.ask(), genomes)
    search.tell(genomes.tolist(), list(range(7)))
    assert search.best.fitness == 6


@pytest.mark.parametrize("name", ["lower", "upper", "sigma"])
def test_settings_of_a_search_are_finite(name):
    with pytest.raises(ConfigError, match=f"{name}: expected a finite number, got inf"):
        CMAES(**{name: float("inf")})
    with pytest.raises(ConfigError, match="lower: expected a finite number, got -inf"):
        DifferentialEvolution(lower=float("-inf"), upper=1.0)


@pytest.mark.parametrize("strategy", [OpenAIES(shaping="raw"), PGPE(shaping="raw"), SNES(shaping="raw")])
@pytest.mark.parametrize("size", [1e200, 1.6e308])
def test_raw_fitness_of_any_size_is_followed_as_if_it_were_small(strategy, size):
    """Squares and sums of such fitness overflow."""
    ends = []
    for factor in (1.0, size):
        search = strategy.search(np.full(4, 2.0), seed=5)
        for _ in range(3):
            genomes = search.ask()
            search.tell(genomes, factor * np.tanh(genomes.sum(axis=1) / 20))
        ends.append(search.ask())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-9)


def test_a_search_is_printed_in_one_line():
    search = SNES().search(np.ones(3), seed=0)
    assert repr(search) == "Search(snes: 0 generations, 0 evaluations, best fitness -inf)"
    search.tell(genomes := search.ask(), -np.sum(genomes**2, axis=1))
    assert repr(search).startswith(f"Search(snes: 1 generation, {len(genomes)} evaluations, best fitness -")
