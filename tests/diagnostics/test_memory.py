"""Memory capacities against closed forms of linear networks, and networks that hold known functions of the input."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

import evorrn
from evorrn.diagnostics import memory_capacity, processing_capacity

pytestmark = pytest.mark.thorough


@evorrn.cell(state={"h": "H", "last": "H"}, parameters={"W": "H I"})
def squares(p, x, h, last):
    return last * last + last, p.W @ x


def linear(matrix, inward, dtype="float64"):
    options = {"activation": evorrn.identity}
    network = evorrn.Network(
        inward.shape[1], 1, hidden=len(matrix), biases=False, cell_options=options, dtype=dtype
    )
    blocks = network.unpack(np.zeros(network.size))
    blocks["layer0.W_h"][:], blocks["layer0.W_x"][:] = matrix, inward
    return network, network.pack(blocks)


def exact(matrix, inward, delays):
    """Return the capacity by delay: the share of each past input's variance in the span of the stationary states."""
    covariance = solve_discrete_lyapunov(matrix, inward @ inward.T)
    found, column = [], inward
    for _ in range(delays):
        column = matrix @ column
        found.append(np.trace(column.T @ np.linalg.solve(covariance, column)))
    return np.array(found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_memory_capacity_of_a_linear_cycle_is_the_number_of_units_less_what_is_held_of_the_present(dtype):
    units, radius = 50, 0.95
    inward = np.zeros((units, 1))
    inward[0] = 1.0
    network, genome = linear(radius * np.roll(np.eye(units), 1, axis=0), inward, dtype)
    capacity = memory_capacity(network, genome)
    assert capacity == pytest.approx(49.005921, abs=0.005)
    assert capacity.by_delay.shape == (200,) and capacity.by_delay.sum() == pytest.approx(capacity)
    np.testing.assert_allclose(capacity.by_delay[:49], 1 - radius**100, atol=2e-3)
    np.testing.assert_allclose(capacity.by_delay[49:99], (1 - radius**100) * radius**100, atol=2e-3)


@pytest.mark.parametrize("units,inputs,seed", [(1, 1, 0), (6, 1, 1), (9, 2, 2), (5, 3, 3)])
def test_a_linear_network_has_the_capacity_of_its_stationary_covariance(units, inputs, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(units, units))
    matrix *= 0.7 / np.abs(np.linalg.eigvals(matrix)).max()
    inward = rng.normal(size=(units, inputs))
    network, genome = linear(matrix, inward)
    capacity = memory_capacity(network, genome, delays=40, seed=seed)
    wanted = exact(matrix, inward, 40)
    np.testing.assert_allclose(capacity.by_delay, wanted, atol=0.02)
    assert capacity == pytest.approx(wanted.sum(), abs=0.03)


def test_a_network_without_a_view_of_the_input_remembers_nothing():
    network, genome = linear(np.diag([0.5, 0.2]), np.zeros((2, 1)))
    assert memory_capacity(network, genome, delays=30, steps=500) == 0.0


def test_a_network_of_tanh_units_forgets_more_under_larger_inputs():
    network = evorrn.Network(1, 1, hidden=20, dtype="float64")
    genome = network.init(seed=0).copy()
    network.unpack(genome)["layer0.W_h"][:] *= 0.9
    small, large = (memory_capacity(network, genome, 60, 4000, amplitude=size) for size in (0.01, 3.0))
    assert 20 >= small > large + 1 > 1


def test_products_of_inputs_are_found_by_their_degree():
    """The unit u + u² of the last input has the variances 1/3 and 4/45 of degree 1 and 2."""
    network = evorrn.Network(1, 1, cell=squares, hidden=1, dtype="float64")
    blocks = network.unpack(np.zeros(network.size))
    blocks["layer0.W"][:] = 1.0
    found = processing_capacity(network, network.pack(blocks))
    first, second = 1 / 3, 4 / 45
    assert found[1] == pytest.approx(first / (first + second), abs=0.02)
    assert found[2] == pytest.approx(second / (first + second), abs=0.02)
    assert found[3] == pytest.approx(0, abs=0.02)


def test_the_capacities_of_all_degrees_of_a_linear_network_are_its_number_of_units():
    rng = np.random.default_rng(0)
    network, genome = linear(0.8 * np.linalg.qr(rng.normal(size=(7, 7)))[0], rng.normal(size=(7, 1)))
    found = processing_capacity(network, genome, {2: 10, 1: 60}, 5000)
    assert list(found) == [1, 2]
    assert found[1] == pytest.approx(7, abs=1e-3) and found[2] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("cell", ["lstm", "gru", "jordan"])
def test_the_capacity_of_any_cell_is_at_most_the_number_of_its_units(cell):
    network = evorrn.Network(2, 1, cell=cell, hidden=(3, 4), reads="all", feedback=cell == "gru")
    found = processing_capacity(network, network.init(seed=1), {1: 20, 2: 5}, 3000)
    assert found[2] > -0.05 and 0.5 < sum(found.values()) < 7.001


def test_the_same_seed_gives_the_same_capacity():
    network = evorrn.Network(1, 1, hidden=5)
    genome = network.init(seed=0)
    first, second, other = (float(memory_capacity(network, genome, 20, 500, seed)) for seed in (3, 3, 4))
    assert first == second != other


@pytest.mark.parametrize(
    "options,message",
    [
        ({"delays": 0}, "delays: expected a whole number of at least 1"),
        ({"steps": 200}, "steps: expected more than 206 for 201 targets and 5 units, got 200"),
        ({"amplitude": -1.0}, "amplitude: expected more than 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    network = evorrn.Network(1, 1, hidden=5)
    with pytest.raises(evorrn.EvorrnError, match=message):
        memory_capacity(network, network.init(seed=0), **options)


def test_a_network_that_diverges_is_refused():
    network, genome = linear(3.0 * np.eye(2), np.ones((2, 1)))
    with pytest.raises(evorrn.EvorrnError, match="states are finite"):
        memory_capacity(network, genome, 10, 2000)
