"""Lyapunov exponents against eigenvalues, a loop of QR decompositions in NumPy, and maps whose sum is known."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import evorrn
from evorrn.diagnostics import lyapunov_spectrum

pytestmark = pytest.mark.thorough


@evorrn.cell(state={"u": "H", "v": "H"}, parameters={})
def henon(p, x, u, v, *, a=1.4, b=0.3):
    return 1 - a * u * u + v, b * u


@evorrn.cell(state={"u": "H", "v": "H", "w": "H"}, parameters={})
def lorenz(p, x, u, v, w, *, sigma=10.0, rho=28.0, beta=2.6666666666666667, dt=0.01):
    a1 = sigma * (v - u)
    b1 = u * (rho - w) - v
    c1 = u * v - beta * w
    u2 = u + 0.5 * dt * a1
    v2 = v + 0.5 * dt * b1
    w2 = w + 0.5 * dt * c1
    a2 = sigma * (v2 - u2)
    b2 = u2 * (rho - w2) - v2
    c2 = u2 * v2 - beta * w2
    u3 = u + 0.5 * dt * a2
    v3 = v + 0.5 * dt * b2
    w3 = w + 0.5 * dt * c2
    a3 = sigma * (v3 - u3)
    b3 = u3 * (rho - w3) - v3
    c3 = u3 * v3 - beta * w3
    u4 = u + dt * a3
    v4 = v + dt * b3
    w4 = w + dt * c3
    a4 = sigma * (v4 - u4)
    b4 = u4 * (rho - w4) - v4
    c4 = u4 * v4 - beta * w4
    return (
        u + dt / 6 * (a1 + 2 * a2 + 2 * a3 + a4),
        v + dt / 6 * (b1 + 2 * b2 + 2 * b3 + b4),
        w + dt / 6 * (c1 + 2 * c2 + 2 * c3 + c4),
    )


def recurrent(matrix, activation=evorrn.tanh):
    """Return an Elman network whose hidden layer has a matrix, sees no input and has no bias."""
    options = {"activation": activation}
    network = evorrn.Network(1, 1, hidden=len(matrix), biases=False, cell_options=options, dtype="float64")
    blocks = network.unpack(np.zeros(network.size))
    blocks["layer0.W_h"][:] = matrix
    return network, network.pack(blocks)


def by_hand(matrix, start, steps, first):
    """Return the exponents of h = tanh(W h) by QR decompositions of the product of Jacobian matrices."""
    h, q, sums = start, np.eye(len(start)), np.zeros(len(start))
    for step in range(steps):
        h = np.tanh(matrix @ h)
        q, r = np.linalg.qr((1 - h**2)[:, None] * matrix @ q)
        sums += np.log(np.abs(np.diag(r))) * (step >= first)
    return np.sort(sums / (steps - first))[::-1]


@pytest.mark.parametrize("size,seed", [(1, 0), (4, 1), (7, 2)])
def test_a_linear_network_has_the_logarithms_of_its_eigenvalues(size, seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0] + 0.2 * rng.normal(size=(size, size))
    values = -np.geomspace(1.3, 0.2, size)
    network, genome = recurrent(basis @ np.diag(values) @ np.linalg.inv(basis), evorrn.identity)
    spectrum = lyapunov_spectrum(network, genome, np.zeros((2, 600, 1)))
    np.testing.assert_allclose(spectrum, np.log(np.abs(values)), atol=1e-10)


@pytest.mark.parametrize("gain", [0.7, 1.8])
def test_a_random_network_equals_a_loop_of_qr_decompositions(gain):
    rng = np.random.default_rng(5)
    matrix = gain * rng.normal(size=(12, 12)) / np.sqrt(12)
    network, genome = recurrent(matrix)
    start = rng.normal(size=(1, 12))
    wanted = by_hand(matrix, start[0], 4000, 100)
    found = lyapunov_spectrum(network, genome, np.zeros((1, 4000, 1)), state=start)
    np.testing.assert_allclose(found, wanted, atol=6e-3)
    np.testing.assert_allclose(found.sum(), wanted.sum(), atol=1e-10)
    largest = lyapunov_spectrum(network, genome, np.zeros((1, 4000, 1)), count=2, state=start)
    np.testing.assert_allclose(largest, wanted[:2], atol=6e-3)


@pytest.mark.parametrize("steps", [1, 2, 17, 500, 3000])
def test_the_exponents_of_the_henon_map_add_up_to_the_logarithm_of_its_determinant(steps):
    network = evorrn.Network(1, 1, cell=henon, hidden=1, dtype="float64")
    start = np.array([[0.1, 0.2], [0.3, -0.1]])
    found = lyapunov_spectrum(network, np.zeros(network.size), np.zeros((2, steps, 1)), state=start)
    assert found.sum() == pytest.approx(np.log(0.3), abs=1e-12)


def test_the_exponents_of_the_henon_map():
    network = evorrn.Network(1, 1, cell=henon, hidden=1, dtype="float64")
    start = np.random.default_rng(0).uniform(-0.1, 0.1, (64, 2))
    found = lyapunov_spectrum(network, np.zeros(network.size), np.zeros((64, 1500, 1)), state=start)
    np.testing.assert_allclose(found, [0.4195, -1.6235], atol=4e-3)


def test_the_exponents_of_the_lorenz_equations_add_up_to_their_divergence():
    network = evorrn.Network(1, 1, cell=lorenz, hidden=1, dtype="float64")
    start = np.array([1.0, 1.0, 20.0]) + np.random.default_rng(0).normal(size=(32, 3))
    found = lyapunov_spectrum(
        network, np.zeros(network.size), np.zeros((32, 2000, 1)), state=start, washout=300
    )
    assert found.sum() / 0.01 == pytest.approx(-(10 + 1 + 8 / 3), abs=2e-4)  # dt ** 4
    np.testing.assert_allclose(found[:2] / 0.01, [0.906, 0], atol=0.06)


@pytest.mark.parametrize("cell", ["lstm", "gru-reset-before"])
def test_the_exponents_of_a_driven_network_add_up_to_its_mean_logarithm_of_determinants(cell):
    rng = np.random.default_rng(2)
    network = evorrn.Network(2, 2, cell=cell, hidden=(2, 3), dtype="float64")
    genome, x = network.init(seed=1), rng.normal(size=(1, 30, 2))
    state, total = np.zeros((1, network.state_size)), 0.0

    def after(state, step):
        return network.predict(genome, x[:, step : step + 1], state=state, return_state=True)[1]

    for step in range(30):
        columns = [
            (after(state + 1e-6 * e, step) - after(state - 1e-6 * e, step))[0] / 2e-6
            for e in np.eye(network.state_size)
        ]
        total += np.log(np.abs(np.linalg.det(np.array(columns)))) / 30
        state = after(state, step)
    found = lyapunov_spectrum(network, genome, x, washout=0)
    assert found.sum() == pytest.approx(total, abs=1e-6)


def test_results_do_not_depend_on_the_threads_of_blas():
    rng = np.random.default_rng(0)
    network, genome = recurrent(1.5 * rng.normal(size=(150, 150)) / np.sqrt(150))
    x, state, found = np.zeros((1, 20, 1)), rng.normal(size=(1, 150)), []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(lyapunov_spectrum(network, genome, x, state=state))
    np.testing.assert_array_equal(*found)


def test_a_direction_that_vanishes_has_minus_infinity():
    network, genome = recurrent(np.diag([0.5, 0.0]), evorrn.identity)
    assert lyapunov_spectrum(network, genome, np.zeros((1, 50, 1)))[1] == -np.inf


@pytest.mark.parametrize("options,message", [({"count": 3}, "from 1 to 2"), ({"washout": 9}, "from 0 to 8")])
def test_numbers_out_of_range_are_refused(options, message):
    network, genome = recurrent(np.eye(2))
    with pytest.raises(evorrn.EvorrnError, match=message):
        lyapunov_spectrum(network, genome, np.zeros((1, 9, 1)), **options)


@pytest.mark.parametrize(
    ("units", "count", "gain", "sequences", "steps", "washout"),
    [(30, 5, 1.5, 2, 157, 13), (12, 12, 0.3, 1, 60, 0), (3, 3, 4.0, 3, 41, 40), (7, 1, 1.0, 1, 1, 0)],
)
def test_exponents_are_those_of_a_decomposition_after_every_step(
    units, count, gain, sequences, steps, washout
):
    """Directions that grow apart slowly are made orthogonal less often, which changes rounding alone."""
    rng = np.random.default_rng(units)
    network = evorrn.Network(2, 1, hidden=units, dtype="float64")
    genome = network.init(seed=0)
    weights = network.unpack(genome)
    weights["layer0.W_h"][...] = gain / np.sqrt(units) * rng.normal(size=(units, units))
    x = 0.3 * rng.normal(size=(sequences, steps, 2))
    found = lyapunov_spectrum(network, genome, x, count, washout=washout)
    q0 = np.linalg.qr(np.random.default_rng(0).normal(size=(units, count)))[0]
    means = []
    for one in x:
        state, q, sums = np.zeros(units), q0, np.zeros(count)
        for time, u in enumerate(one):
            state = np.tanh(weights["layer0.W_x"] @ u + weights["layer0.W_h"] @ state + weights["layer0.b"])
            q, r = np.linalg.qr((1 - state**2)[:, None] * (weights["layer0.W_h"] @ q))
            sums += (time >= washout) * np.log(np.abs(np.diag(r)))
        means.append(sums / (steps - washout))
    np.testing.assert_allclose(found, np.sort(np.mean(means, axis=0))[::-1], rtol=1e-9, atol=1e-9)
