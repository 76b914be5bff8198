"""Spiking neurons and circuits of memristors beside closed forms and solutions that share no code with the cells."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from evorrn import Network
from evorrn.cells.find import cells
from evorrn.cells.memristive import incidence, projector
from evorrn.diagnostics.dynamics import Dynamics


def made(cell, seed, **options):
    """Return a network of float64 with 3 inputs and 12 units, a genome, and its blocks."""
    rng = np.random.default_rng(seed)
    network = Network(3, 2, cell=cell, hidden=12, dtype="float64", cell_options=options)
    genome = network.init(rng=rng) + 0.3 * rng.standard_normal(network.size)
    return network, genome, {name.removeprefix("layer0."): v for name, v in network.unpack(genome).items()}


# --- Integrate-and-fire neurons ----------------------------------------------------------------------------


def spiking(w, x, tau, synapse, threshold, dt, refractory, step=0.0, steepness=10.0):
    """Return the traces (T, H) and spikes (T, H) of neurons, neuron by neuron; `w` may be complex.

    An imaginary part passes a spike by the surrogate slope.
    """
    units = len(w["b"])
    r, v, left = (np.zeros(units, w["b"].dtype) for _ in range(3))
    traces, spikes = [], []
    for given in x:
        before, r = r, r.copy()
        s = np.zeros_like(r)
        for k in range(units):
            drive = w["W_x"][k] @ given + w["W_h"][k] @ before + w["b"][k]
            rest = left[k] if left[k].real <= dt else dt  # where equal, the first has the gradient
            kept = np.exp(-(dt - rest) / tau)
            v[k] = drive + kept * (v[k] - drive)
            above = v[k] - threshold
            s[k] = (
                (above.real >= 0) + 1j * above.imag / (1 + steepness * abs(above.real)) ** 2
                if np.iscomplexobj(v)
                else float(above >= 0)
            )
            v[k] = v[k] - threshold * s[k]
            left[k] = left[k] - rest + refractory * s[k]
            r[k] = s[k] + np.exp(-dt / synapse) * (before[k] - s[k])
        traces.append(r)
        spikes.append(s)
    return np.array(traces), np.array(spikes)


OPTIONS = [
    {"tau": 4.0, "synapse": 3.0, "threshold": 0.3, "dt": 1.0, "refractory": 0.0},
    {"tau": 9.0, "synapse": 1.5, "threshold": 0.2, "dt": 0.5, "refractory": 1.2},
    {"tau": 2.0, "synapse": 6.0, "threshold": 0.5, "dt": 1.0, "refractory": 3.0},
]


@pytest.mark.parametrize("sequences", [1, 3, 35])
@pytest.mark.parametrize("options", OPTIONS)
def test_spiking_neurons_equal_a_loop_over_neurons(options, sequences):
    network, genome, w = made("lif", 1, **options)
    x = np.random.default_rng(2).standard_normal((sequences, 40, 3))
    found = network.states(genome, x)
    for one, traces in zip(x, found):
        wanted, spikes = spiking(w, one, **options)
        np.testing.assert_allclose(traces, wanted, rtol=0, atol=1e-12)
        assert 0.01 < spikes.mean() < 0.9


@pytest.mark.parametrize("options", OPTIONS)
def test_the_gradient_of_spiking_neurons_takes_the_slope_of_the_fast_sigmoid_for_that_of_the_step(options):
    network, genome, w = made("lif", 3, **options)
    rng = np.random.default_rng(4)
    x, cotangent = rng.standard_normal((2, 15, 3)), rng.standard_normal((2, 15, 2))
    slope = network.vjp(genome, x, cotangent)
    for _ in range(3):
        direction = rng.standard_normal(network.size)
        along = {name.removeprefix("layer0."): v for name, v in network.unpack(direction).items()}
        moved = {name: block + 1e-30j * along[name] for name, block in w.items()}
        outputs = [spiking(moved, one, **options)[0] @ moved["readout.W"].T + moved["readout.b"] for one in x]
        assert slope @ direction == pytest.approx((cotangent * np.imag(outputs)).sum() / 1e-30, rel=1e-9)


def test_the_jacobian_of_a_step_of_spiking_neurons_has_the_surrogate_slope():
    network, genome, w = made("lif", 5, **OPTIONS[1])
    rng = np.random.default_rng(6)
    x, state = rng.standard_normal(3), rng.uniform(0, 0.4, 36)
    given = {name: OPTIONS[1][name] for name in ("dt", "refractory")}
    p = SimpleNamespace(**w, **{name: np.array(OPTIONS[1][name]) for name in ("tau", "synapse", "threshold")})
    columns = [
        np.concatenate(cells()["lif"](p, x, *np.split(state + 1e-30j * entry, 3), **given)).imag / 1e-30
        for entry in np.eye(36)
    ]
    _, jacobian = Dynamics(network, genome).jacobian(state[None], x[None])
    np.testing.assert_allclose(jacobian[0], np.stack(columns, axis=1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("refractory", [0.0, 2.5])
@pytest.mark.parametrize("drive", [0.21, 0.3, 1.0])
def test_under_a_constant_drive_the_interval_between_spikes_is_that_of_the_closed_form(drive, refractory):
    options = {"tau": 20.0, "threshold": 0.2, "dt": 0.1, "synapse": 1e-6, "refractory": refractory}
    network = Network(1, 1, cell="lif", hidden=1, dtype="float64", cell_options=options)
    genome = network.init(seed=0)
    w = network.unpack(genome)
    w["layer0.W_x"][...], w["layer0.W_h"][...] = drive, 0.0
    spikes = network.states(genome, np.ones((1, 6000, 1)))[0, :, 0]  # the trace of a synapse of no time
    intervals = np.diff(np.flatnonzero(spikes > 0.5)) * 0.1
    wanted = refractory + 20 * np.log(drive / (drive - 0.2))
    assert len(intervals) > 5
    assert np.abs(intervals - wanted).max() <= 0.1 + 1e-9 + 0.0


def test_the_trace_of_one_spike_fades_with_the_time_constant_of_the_synapse():
    options = {"tau": 1.0, "synapse": 5.0, "threshold": 0.5}
    network = Network(1, 1, cell="lif", hidden=1, dtype="float64", cell_options=options)
    genome = network.init(seed=0)
    w = network.unpack(genome)
    w["layer0.W_x"][...], w["layer0.W_h"][...] = 1.0, 0.0
    x = np.zeros((1, 20, 1))
    x[0, 4] = 1.0
    trace = network.states(genome, x)[0, :, 0]
    after = (1 - np.exp(-0.2)) * np.exp(-np.arange(16) / 5)
    np.testing.assert_allclose(trace, np.concatenate([np.zeros(4), after]), atol=1e-12)


# --- Memristors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "degree", "graph"), [(1, 1, 0), (3, 9, 0), (12, 4, 1), (30, 3, 7), (21, 6, 2)]
)
def test_the_projector_is_one_on_loops_and_its_graph_is_connected_and_without_parallel_edges(
    edges, degree, graph
):
    sizes, options = {"H": edges}, {"degree": degree, "graph": graph}
    matrix, loops = incidence(sizes, options), projector(sizes, options)
    nodes = len(matrix)
    np.testing.assert_allclose(loops @ loops, loops, atol=1e-12)
    np.testing.assert_allclose(loops, loops.T, atol=1e-12)
    np.testing.assert_allclose(matrix @ loops, 0, atol=1e-12)  # what flows into a node flows out
    assert np.trace(loops) == pytest.approx(edges - nodes + 1)  # one for each independent loop
    assert len({frozenset(np.flatnonzero(column)) for column in matrix.T}) == edges
    assert (np.abs(matrix).sum(0) == 2).all() and (matrix.sum(0) == 0).all()
    assert (incidence(sizes, options) == matrix).all()


def kirchhoff(matrix, resistances, source):
    """Return the currents of edges with sources in series, by nodal analysis with the first node as ground."""
    reduced = coo_array(matrix[1:]).tocsr()
    conductance = coo_array(np.diag(1 / resistances)).tocsr()
    nodal = (reduced @ conductance @ reduced.T).tocsc()
    potentials = np.atleast_1d(spsolve(nodal, -reduced @ (conductance @ source)))
    return (reduced.T @ potentials + source) / resistances


@pytest.mark.parametrize(("xi", "degree", "graph"), [(10.0, 4, 0), (0.5, 3, 1), (200.0, 5, 2)])
def test_the_currents_are_those_of_kirchhoffs_laws_and_the_memories_follow_them(xi, degree, graph):
    options = {"xi": xi, "degree": degree, "graph": graph, "alpha": -0.2, "beta": 3.0, "dt": 0.5}
    network, genome, w = made("memristive", graph, **options)
    matrix = incidence({"H": 12}, options)
    x = np.random.default_rng(5).standard_normal((33, 25, 3))
    found = network.states(genome, x)
    for k in (0, 1, 32):
        memory = np.full(12, 0.5)
        for t in range(25):
            currents = kirchhoff(matrix, 1 + xi * memory, w["W_x"] @ x[k, t] + w["b"])
            memory = np.clip(memory + 0.5 * (-0.2 * memory - currents / 3.0), 0, 1)
            np.testing.assert_allclose(found[k, t], np.concatenate([currents, memory]), rtol=0, atol=1e-11)


def test_no_current_flows_in_a_tree():
    network, genome, _ = made("memristive", 0, degree=1)
    x = np.random.default_rng(6).standard_normal((2, 10, 3))
    states = network.states(genome, x)
    np.testing.assert_allclose(states[:, :, :12], 0, atol=1e-12)
    np.testing.assert_allclose(states[0, :, 12], 0.5 * 0.9 ** np.arange(1, 11), rtol=1e-12)


def test_equal_resistances_make_the_circuit_linear():
    network, genome, w = made("memristive", 0, xi=0.0)
    x = np.random.default_rng(7).standard_normal((2, 10, 3))
    wanted = (x @ w["W_x"].T + w["b"]) @ projector({"H": 12}, {"degree": 4, "graph": 0})
    np.testing.assert_allclose(network.states(genome, x)[:, :, :12], wanted, atol=1e-12)


def test_the_memories_stay_between_0_and_1():
    network, genome, w = made("memristive", 0, beta=0.1)
    w["W_x"][...] *= 10
    memories = network.states(genome, np.random.default_rng(8).standard_normal((4, 50, 3)))[:, :, 12:]
    assert memories.min() == 0 and memories.max() == 1


def test_a_number_of_a_graph_is_a_whole_number():
    with pytest.raises(Exception, match="graph: expected a whole number"):
        Network(1, 1, cell="memristive", hidden=5, cell_options={"graph": 0.5})


@pytest.mark.parametrize("hidden", [1, 2, 3, 100])
def test_a_circuit_has_as_many_edges_as_units(hidden):
    network = Network(1, 1, cell="memristive", hidden=hidden)
    assert np.isfinite(network.predict(network.init(seed=0), np.ones((1, 3, 1)))).all()
