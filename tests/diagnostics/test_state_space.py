"""Fixed points, echo-state index, spectral radius and principal components of networks made by hand."""

import numpy as np
import pytest

import evorrn
from evorrn.diagnostics import (
    echo_state_index,
    effective_spectral_radius,
    fixed_points,
    principal_trajectories,
    state_space,
)

pytestmark = pytest.mark.thorough


def elman(matrix, inward=None, bias=None, activation=evorrn.tanh):
    network = evorrn.Network(
        1, 1, hidden=len(matrix), cell_options={"activation": activation}, dtype="float64"
    )
    blocks = network.unpack(np.zeros(network.size))
    blocks["layer0.W_h"][:] = matrix
    blocks["layer0.W_x"][:] = 0 if inward is None else inward
    blocks["layer0.b"][:] = 0 if bias is None else bias
    return network, network.pack(blocks)


def stable_value():
    """Return the positive solution of h = tanh(2 h)."""
    h = 1.0
    for _ in range(200):
        h = np.tanh(2 * h)
    return h


# --- Fixed points ----------------------------------------------------------------------------------


def test_two_units_that_excite_themselves_have_nine_fixed_points_of_which_four_are_stable():
    network, genome = elman(2 * np.eye(2))
    found = fixed_points(network, genome, np.zeros((1, 5, 1)))
    h = stable_value()
    wanted = {(round(a * h, 6), round(b * h, 6)) for a in (-1, 0, 1) for b in (-1, 0, 1)}
    assert {tuple((point.round(6) + 0.0).tolist()) for point in found.points} == wanted
    assert len(found.points) == 9 and found.stable.sum() == 4 and found.stable[:4].all()
    assert (found.speeds < 1e-8).all()
    slopes = 2 * (1 - found.points**2)
    np.testing.assert_allclose(
        np.sort(np.abs(found.eigenvalues), axis=1), np.sort(slopes, axis=1), atol=1e-10
    )


def test_a_linear_network_has_the_solution_of_its_equations_under_the_held_input():
    rng = np.random.default_rng(0)
    matrix, inward, bias = 0.4 * rng.normal(size=(4, 4)), rng.normal(size=(4, 1)), rng.normal(size=4)
    network, genome = elman(matrix, inward, bias, evorrn.identity)
    x = rng.normal(size=(3, 20, 1))
    for held, value in ((None, x.mean()), (np.array([2.5]), 2.5)):
        found = fixed_points(network, genome, x, held=held)
        wanted = np.linalg.solve(np.eye(4) - matrix, inward[:, 0] * value + bias)
        np.testing.assert_allclose(found.points, wanted[None], atol=1e-9)
        expected = np.linalg.eigvals(matrix)
        np.testing.assert_allclose(
            np.sort_complex(found.eigenvalues[0]), np.sort_complex(expected), atol=1e-9
        )


@pytest.mark.parametrize(
    "cell,form", [("lstm", {}), ("gru", {"hidden": (3, 2)}), ("elman", {"feedback": True})]
)
def test_the_compiled_network_stays_at_the_fixed_points_of_any_cell(cell, form):
    network = evorrn.Network(2, 1, cell=cell, **{"hidden": 4, "dtype": "float64", **form})
    rng = np.random.default_rng(1)
    genome, x = network.init(seed=1) + 0.4 * rng.normal(size=network.size), rng.normal(size=(2, 30, 2))
    found = fixed_points(network, genome, x, starts=32)
    assert len(found.points)
    held = np.broadcast_to(x.mean(axis=(0, 1)), (len(found.points), 1, 2))
    _, after = network.predict(genome, held, state=found.points, return_state=True)
    np.testing.assert_allclose(after, found.points, atol=1e-7)
    assert (np.diff(np.abs(found.eigenvalues), axis=1) <= 1e-12).all()


def test_a_rotation_away_from_rest_has_slow_points_only_when_asked():
    """The unit h + 1e-3 never rests; the point where it moves least is returned for a larger speed."""
    network, genome = elman(np.eye(1), bias=[1e-3], activation=evorrn.identity)
    assert len(fixed_points(network, genome, np.zeros((1, 2, 1))).points) == 0
    slow = fixed_points(network, genome, np.zeros((1, 2, 1)), speed=1e-2, starts=8)
    np.testing.assert_allclose(slow.speeds, 1e-3)


def test_the_same_seed_gives_the_same_points():
    network, genome = elman(2 * np.eye(2))
    first, second = (fixed_points(network, genome, np.zeros((1, 5, 1)), seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)
    with pytest.raises(evorrn.EvorrnError, match=r"held: expected shape \(1,\), got \(2,\)"):
        fixed_points(network, genome, np.zeros((1, 5, 1)), held=np.zeros(2))


# --- Echo states -----------------------------------------------------------------------------------


def test_a_contracting_network_has_one_response():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(8, 8))
    network, genome = elman(0.8 * matrix / np.linalg.norm(matrix, 2), rng.normal(size=(8, 1)))
    assert echo_state_index(network, genome, rng.normal(size=(3, 80, 1))).tolist() == [1, 1, 1]


@pytest.mark.parametrize("units", [1, 2])
def test_bistable_units_have_two_responses_each(units):
    network, genome = elman(2 * np.eye(units), np.ones((units, 1)))
    weak = 0.05 * np.random.default_rng(0).normal(size=(1, 100, 1))
    assert echo_state_index(network, genome, weak).tolist() == [2**units]
    strong = weak.copy()
    strong[0, 50] = 8.0
    assert echo_state_index(network, genome, strong).tolist() == [1]


def test_a_chaotic_network_has_as_many_responses_as_starts():
    rng = np.random.default_rng(0)
    network, genome = elman(3 * rng.normal(size=(60, 60)) / np.sqrt(60))
    assert echo_state_index(network, genome, np.zeros((1, 60, 1)), starts=9).tolist() == [9]
    with pytest.raises(evorrn.EvorrnError, match="starts: expected at least 2"):
        echo_state_index(network, genome, np.zeros((1, 60, 1)), starts=1)
    with pytest.raises(evorrn.EvorrnError, match="starts: expected a whole number"):
        echo_state_index(network, genome, np.zeros((1, 60, 1)), starts="many")
    with pytest.raises(evorrn.EvorrnError, match="x: expected finite numbers, got NaN or infinity"):
        echo_state_index(network, genome, np.full((1, 60, 1), np.nan))


# --- Spectral radius and states --------------------------------------------------------------------


def test_the_effective_spectral_radius_of_a_leaky_network_counts_its_leak():
    network = evorrn.Network(1, 1, cell="leaky", hidden=6, cell_options={"leak": 0.2}, dtype="float64")
    blocks = network.unpack(network.init(seed=0).copy())
    blocks["layer0.b"][:] = 0
    wanted = np.abs(np.linalg.eigvals(0.8 * np.eye(6) + 0.2 * blocks["layer0.W_h"])).max()
    assert effective_spectral_radius(network, network.pack(blocks)).item() == pytest.approx(wanted)


def test_the_effective_spectral_radius_along_a_sequence_is_that_of_its_slopes():
    rng = np.random.default_rng(0)
    matrix, x = rng.normal(size=(5, 5)), rng.normal(size=(2, 6, 1))
    network, genome = elman(matrix, rng.normal(size=(5, 1)))
    states = network.states(genome, x)
    found = effective_spectral_radius(network, genome, x)
    for row in range(2):
        for step in range(6):
            jacobian = (1 - states[row, step] ** 2)[:, None] * matrix
            assert found[row, step] == pytest.approx(np.abs(np.linalg.eigvals(jacobian)).max())


def test_rank_and_condition_are_those_of_the_centred_states():
    rng = np.random.default_rng(0)
    network, genome = elman(0.3 * rng.normal(size=(5, 5)), rng.normal(size=(5, 1)), rng.normal(size=5))
    x = rng.normal(size=(2, 50, 1))
    states = network.states(genome, x).reshape(100, 5)
    found = state_space(network, genome, x)
    variances = np.linalg.eigvalsh(np.cov(states.T))[::-1]
    assert found.rank == 5
    assert found.condition == pytest.approx(np.sqrt(variances[0] / variances[-1]), rel=1e-6)
    assert found.dimension == pytest.approx(variances.sum() ** 2 / (variances**2).sum())


def test_units_that_repeat_each_other_do_not_add_to_the_rank():
    network, genome = elman(np.zeros((4, 4)), np.array([[1.0], [1.0], [-1.0], [0.5]]))
    assert state_space(network, genome, np.random.default_rng(0).normal(size=(1, 40, 1))).rank == 2
    assert state_space(network, genome, np.zeros((1, 3, 1))).rank == 0


def test_principal_components_carry_the_largest_variances():
    rng = np.random.default_rng(0)
    network, genome = elman(0.3 * rng.normal(size=(5, 5)), rng.normal(size=(5, 1)))
    x = rng.normal(size=(3, 40, 1))
    points, shares, components = principal_trajectories(network, genome, x, count=2)
    states = network.states(genome, x)
    variances = np.linalg.eigvalsh(np.cov(states.reshape(120, 5).T))[::-1]
    np.testing.assert_allclose(shares, variances[:2] / variances.sum())
    np.testing.assert_allclose(points, (states - states.mean(axis=(0, 1))) @ components.T, atol=1e-12)
    np.testing.assert_allclose(points.reshape(120, 2).var(axis=0, ddof=1), variances[:2])
    with pytest.raises(evorrn.EvorrnError, match="count: expected a number from 1 to 5"):
        principal_trajectories(network, genome, x, count=6)
