"""Invariance of the covariance family: monotone transforms of fitness, rotation of space, order."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evorrn import CMAES, LMMAES, SNES, XNES, SepCMAES
from evorrn.base.files import tree_bytes

FAMILY = [CMAES(), SepCMAES(), LMMAES(), SNES(), XNES()]
IDS = [strategy.name for strategy in FAMILY]
TRANSFORMS = {
    "affine": lambda f: 3.0 * f - 1e3,
    "root": np.cbrt,
    "logarithm": lambda f: -np.log1p(-f),
    "steep": lambda f: -np.square(np.square(f)),
    "fraction": lambda f: f / (1.0 - f),
}


def bowl(points):
    """A quadratic function with rotated axes; its minimum is not the start."""
    size = points.shape[1]
    turn = np.linalg.qr(np.random.default_rng(size).standard_normal((size, size)))[0]
    return -np.square((points - 1.0) @ turn) @ np.linspace(1.0, 30.0, size)


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def ranks(values):
    return np.unique(values, return_inverse=True)[1]


@pytest.mark.parametrize("strategy", FAMILY, ids=IDS)
@settings(max_examples=15, deadline=None)
@given(transform=st.sampled_from(sorted(TRANSFORMS)), seed=st.integers(0, 2**32 - 1), size=st.integers(1, 5))
def test_a_monotone_transform_of_fitness_changes_no_byte(strategy, transform, seed, size):
    plain = strategy.search(np.zeros(size), seed=seed)
    other = strategy.search(np.zeros(size), seed=seed)
    for _ in range(6):
        points = plain.ask()
        assert other.ask().tobytes() == points.tobytes()
        fitness = bowl(points)
        changed = TRANSFORMS[transform](fitness)
        assume(np.array_equal(ranks(fitness), ranks(changed)))  # rounding may make two of them equal
        plain.tell(points, fitness)
        other.tell(points, changed)
        assert tree_bytes(plain.state["method"]) == tree_bytes(other.state["method"])


def advanced(strategy, size, seed, generations=5):
    """Return the method's state after some generations, with samples that have no fitness yet."""
    search = strategy.search(np.full(size, 2.0), seed=seed)
    for _ in range(generations):
        points = search.ask()
        search.tell(points, bowl(points))
    points = search.ask()
    return search.state["method"], points, bowl(points)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
def test_cma_es_in_a_rotated_space_does_the_same_rotated(size, seed):
    method, points, fitness = advanced(CMAES(), size, seed)
    turn = rotation(size, seed)
    turned = {
        **method,
        "centroid": turn @ method["centroid"],
        "C": turn @ method["C"] @ turn.T,
        "B": turn @ method["B"],
        "pc": turn @ method["pc"],
        "ps": turn @ method["ps"],
    }
    rng = [np.random.default_rng(seed) for _ in range(2)]
    method, here = CMAES().sample(method, rng[0])
    turned, there = CMAES().sample(turned, rng[1])
    np.testing.assert_allclose(there, here @ turn.T, rtol=1e-9, atol=1e-9)
    after = CMAES().update(method, here, fitness, rng[0])
    same = CMAES().update(turned, there, fitness, rng[1])
    close = {"rtol": 1e-8, "atol": 1e-9}
    np.testing.assert_allclose(same["centroid"], turn @ after["centroid"], **close)
    np.testing.assert_allclose(same["C"], turn @ after["C"] @ turn.T, **close)
    np.testing.assert_allclose(same["pc"], turn @ after["pc"], **close)
    np.testing.assert_allclose(same["ps"], turn @ after["ps"], **close)
    np.testing.assert_allclose(same["diagD"], after["diagD"], **close)
    assert same["sigma"] == pytest.approx(after["sigma"], rel=1e-9)
    assert len(points) == len(here)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2, 12), seed=st.integers(0, 2**32 - 1), few=st.booleans())
def test_xnes_in_a_rotated_space_does_the_same_rotated(size, seed, few):
    strategy = XNES(population=4 if few else size + 5)
    method, points, fitness = advanced(strategy, size, seed)
    turn = rotation(size, seed)
    turned = {
        **method,
        "mean": turn @ method["mean"],
        "shape": turn @ method["shape"] @ turn.T,
        "noise": method["noise"] @ turn.T,
    }
    rng = np.random.default_rng(0)
    after = strategy.update(method, points, fitness, rng)
    same = strategy.update(turned, points @ turn.T, fitness, rng)
    np.testing.assert_allclose(same["mean"], turn @ after["mean"], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(same["shape"], turn @ after["shape"] @ turn.T, rtol=1e-8, atol=1e-9)
    assert same["sigma"] == pytest.approx(after["sigma"], rel=1e-9)


@pytest.mark.parametrize("strategy", FAMILY, ids=IDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 30))
def test_the_order_of_arrival_has_no_say(strategy, seed, size):
    """Order the noise by rank, as the weights are ordered."""
    method, points, fitness = advanced(dataclasses.replace(strategy, population=9), size, seed)
    assume(len(set(fitness)) == len(fitness))
    mixed = np.random.default_rng(seed).permutation(len(points))
    shuffled = dict(method)
    for name in ("noise", "steps", "lengths"):
        if name in method:
            shuffled[name] = method[name][mixed]
    rng = np.random.default_rng(0)
    after = strategy.update(method, points, fitness, rng)
    same = strategy.update(shuffled, points[mixed], fitness[mixed], rng)
    for name, value in after.items():
        if name != "B" and value is not None:  # eigenvectors have a free sign
            np.testing.assert_allclose(same[name], value, rtol=1e-7, atol=1e-9, err_msg=name)


def test_the_transformation_of_xnes_leaves_the_axes_where_the_function_does():
    size = 6
    turn = rotation(size, 1)
    search = XNES().search(np.full(size, 2.0), seed=0)
    while search.evaluations < 4000:
        points = search.ask()
        search.tell(points, -np.square(points @ turn) @ 100.0 ** np.linspace(0, 1, size))
    shape = search.state["method"]["shape"]
    beside = shape - np.diag(np.diag(shape))
    assert np.linalg.norm(beside) > 0.3 * np.linalg.norm(shape)
    matrix = shape @ shape.T
    along = np.diag(turn.T @ matrix @ turn)  # variances along the function's axes
    wanted = 1 / 100.0 ** np.linspace(0, 1, size)
    wanted /= np.exp(np.mean(np.log(wanted)))  # det B = 1
    assert np.abs(np.log(along / wanted)).max() < np.log(3)
