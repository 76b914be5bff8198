"""Fitness near the largest float64 and spreads of 1e300: right numbers, and no warning of an overflow."""

import warnings

import numpy as np
import pytest

import evorrn
from evorrn.base import huge
from evorrn.base.errors import ConfigError
from evorrn.strategies.find import strategies
from evorrn.strategies.gradient.optimisers import clip_by_norm

LARGEST = np.finfo(np.float64).max
KINDS = [kind for kind in strategies().values() if issubclass(kind, evorrn.EvolutionStrategy)]
SETTINGS = (
    *({}, {"shaping": "raw"}, {"adaptation": "block"}, {"restarts": "ipop"}, {"selection": "roulette"}),
    *({"weight_decay": 0.1}, {"optimiser": "adam"}, {"restart_after": 2}, {"lower": -1e300, "upper": 1e300}),
)


def configured():
    for kind in KINDS:
        for settings in SETTINGS:
            try:
                yield kind(**settings)
            except ConfigError:
                continue


EVERY = list(configured())
NAMES = [f"{each.name}-{number}" for number, each in enumerate(EVERY)]
FITNESS = {
    "both signs": lambda genomes: np.linspace(-1, 1, len(genomes)) * LARGEST,
    "all far below": lambda genomes: -LARGEST * (1 - 1e-3 * np.arange(len(genomes)) / len(genomes)),
    "some diverged": lambda genomes: np.where((np.arange(len(genomes)) + 1) % 3, -0.99 * LARGEST, np.nan),
}


@pytest.mark.parametrize("fitness", list(FITNESS))
@pytest.mark.parametrize("strategy", EVERY, ids=NAMES)
def test_no_warning_is_raised_and_what_is_recorded_is_finite(strategy, fitness):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for spread in (1.0, 1e300):
            search = strategy.search(np.full(4, spread / 10), seed=1, spread=spread)
            for _ in range(6):
                genomes = search.ask()
                assert np.isfinite(genomes).all()
                search.tell(genomes, FITNESS[fitness](genomes))
            assert all(np.isfinite(column).all() for column in search.history.values())


def bowl(genomes):
    return -np.sum((genomes - 1.0) ** 2 * [1.0, 3.0, 9.0], axis=1)


def searched(strategy, fitness_by=1.0, genes_by=1.0):
    """Return the genomes of some generations and the fitness history, both scaled back."""
    asked = []
    search = strategy.search(np.full(3, 0.5 * genes_by), seed=2, spread=genes_by)
    for _ in range(8):
        asked.append(search.ask())
        search.tell(asked[-1], bowl(asked[-1] / genes_by) * fitness_by)
    return np.concatenate(asked) / genes_by, np.array(search.history["fitness_median"]) / fitness_by


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
@pytest.mark.parametrize("settings", [{}, {"shaping": "raw"}], ids=["default", "raw"])
def test_fitness_of_any_size_leads_to_the_same_points(kind, settings):
    """Fitness of about 1e295 in place of 1: ranks, gains and means are the same."""
    try:
        strategy = kind(**settings)
    except ConfigError:
        pytest.skip("has no such setting")
    plain, huge_ones = searched(strategy), searched(strategy, fitness_by=2.0**980)
    np.testing.assert_allclose(huge_ones[0], plain[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(huge_ones[1], plain[1], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_genes_of_any_size_are_the_same_points_scaled(kind):
    plain, huge_ones = searched(kind()), searched(kind(), genes_by=2.0**1000)
    np.testing.assert_allclose(huge_ones[0], plain[0], rtol=1e-9, atol=1e-12)


def test_statistics_of_huge_numbers_are_those_of_small_ones():
    values = np.random.default_rng(0).normal(3.0, 1.0, (7, 5))
    for scale in (1.0, 2.0**1018):
        scaled = values * scale
        assert huge.mean(scaled) == pytest.approx(values.mean() * scale, rel=1e-14)
        assert huge.deviation(scaled) == pytest.approx(values.std() * scale, rel=1e-14)
        assert huge.root_mean_square(scaled) == pytest.approx(np.sqrt((values**2).mean()) * scale, rel=1e-14)
        np.testing.assert_allclose(huge.deviations(scaled), values.std(axis=0) * scale, rtol=1e-14)
        wanted = np.quantile(values, [0.25, 0.5]) * scale
        np.testing.assert_allclose(huge.quantiles(scaled, [0.25, 0.5]), wanted, rtol=1e-14)
    assert huge.scale_of(np.zeros(0)) == huge.scale_of(np.full(2, -1e149)) == 1.0
    assert huge.scale_of(np.array([-LARGEST])) == 2.0**1023


def test_a_huge_gradient_is_clipped_to_its_direction():
    gradient = np.array([3.0, -4.0]) * 1e250
    step, norm = clip_by_norm(gradient, 1.0)
    np.testing.assert_allclose(step, [0.6, -0.8])
    assert norm == pytest.approx(5e250)
