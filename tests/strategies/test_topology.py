"""Topologies of reservoirs and distributions of their weights, and what they give an echo state network."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.diagnostics import memory_capacity
from evorrn.network.network import Network
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.topology import TOPOLOGIES, Graph


def scales(radius: float = 0.9, links: int = 4, **graph) -> Scales:
    return Scales(radius, links, inputs=0.3, biases=0.0, feedback=0.05, graph=Graph(**graph))


def recurrent(units: int, seed: int = 0, **given) -> np.ndarray:
    network = Network(1, 1, cell="leaky", hidden=units, dtype="float64")
    genome, _ = draw_reservoir(network, scales(**given), np.random.default_rng(seed))
    return network.unpack(genome)["layer0.W_h"]


@pytest.mark.parametrize("units", [1, 2, 3, 7, 40, 300])
@pytest.mark.parametrize("topology", [name for name in TOPOLOGIES if name != "delay-line"])
def test_every_topology_with_a_cycle_has_the_spectral_radius(topology, units):
    matrix = recurrent(units, topology=topology)
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(0.9, rel=1e-6)


def test_a_cycle_links_each_unit_to_the_next_with_one_weight():
    np.testing.assert_array_equal(recurrent(6, topology="cycle"), 0.9 * np.roll(np.eye(6), 1, axis=0))


@pytest.mark.parametrize("units", [2, 9, 300])
def test_a_delay_line_ends_and_has_its_weight_in_place_of_a_spectral_radius(units):
    np.testing.assert_array_equal(recurrent(units, topology="delay-line"), 0.9 * np.eye(units, k=-1))


@pytest.mark.parametrize(
    ("units", "jump", "expected"),
    [
        (9, 3, {(0, 3), (3, 6), (6, 0)}),  # the jumps close, as in figure 1 (A) of Rodan and Tiňo 2012
        (10, 4, {(0, 4), (4, 8)}),  # the last unit that a jump reaches does not lead back
        (5, 7, set()),
    ],
)
def test_jumps_lead_both_ways_along_the_cycle(units, jump, expected):
    matrix = recurrent(units, topology="jump-cycle", jump=jump)
    linked = {(int(row), int(column)) for row, column in np.argwhere(matrix)}
    cycle = {((unit + 1) % units, unit) for unit in range(units)}
    assert linked == cycle | expected | {(there, here) for here, there in expected}
    assert len(np.unique(matrix[matrix != 0])) == 1


def test_a_small_world_that_moves_nothing_is_a_ring_of_neighbours():
    matrix = recurrent(9, topology="small-world", moved=0.0)
    near = np.abs((np.arange(9)[:, None] - np.arange(9) + 4) % 9 - 4)
    np.testing.assert_array_equal(matrix != 0, (near > 0) & (near <= 2))


@pytest.mark.parametrize("seed", range(4))
def test_a_small_world_keeps_its_links_and_has_shorter_paths_than_the_ring(seed):
    ring, world = (recurrent(100, seed, topology="small-world", moved=share) != 0 for share in (0.0, 0.2))
    assert (world.sum(axis=1) == 4).all() and not world.diagonal().any()
    assert 0.1 < 1 - (ring & world).sum() / 400 < 0.3

    def longest(linked):
        reached, steps = np.eye(100, dtype=bool), 0
        while not reached.all():
            reached, steps = reached | (linked @ reached), steps + 1
        return steps

    assert longest(world) < longest(ring) == 25


@pytest.mark.parametrize("units", [1, 2, 5])
def test_a_small_world_of_fewer_units_than_links_has_all_links(units):
    linked = recurrent(units, topology="small-world", links=10) != 0
    assert linked.sum() == max(units * (units - 1), 1)


@pytest.mark.parametrize(
    ("distribution", "size", "deviation"),
    [("uniform", 0.3, 0.3 / np.sqrt(3)), ("normal", 1.5, 0.3), ("sign", 0.3, 0.3)],
)
def test_input_weights_have_the_distribution_and_the_scale(distribution, size, deviation):
    network = Network(2, 1, cell="elman", hidden=400, feedback=True, dtype="float64")
    genome, _ = draw_reservoir(network, scales(distribution=distribution), np.random.default_rng(1))
    weights = network.unpack(genome)["layer0.W_x"]
    assert np.abs(weights[:, :2]).max() <= size
    assert weights[:, :2].std() == pytest.approx(deviation, rel=0.1)
    assert weights[:, 2].std() == pytest.approx(deviation / 6, rel=0.15)
    if distribution == "sign":
        assert set(np.unique(np.abs(weights[:, :2]))) == {0.3}


def test_recurrent_signs_are_random_and_their_size_is_one():
    matrix = recurrent(60, distribution="sign")
    values = matrix[matrix != 0]
    assert len(values) == 240 and len(np.unique(values)) == 2
    assert 0.35 < (values > 0).mean() < 0.65


@pytest.mark.parametrize("cell", ["gru", "lstm", "fully-recurrent", "indrnn"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_cell_takes_every_topology(cell, topology):
    network = Network(2, 1, cell=cell, hidden=(5, 4), dtype="float64")
    genome, _ = draw_reservoir(network, scales(topology=topology), np.random.default_rng(0))
    assert np.isfinite(genome).all() and genome.any()


def test_a_drawn_cycle_of_linear_units_has_the_memory_capacity_of_the_closed_form():
    """With inputs of random signs the input reaches every direction: the capacity is N - 1 + r^(2N)."""
    options = {"activation": evorrn.identity}
    network = Network(1, 1, cell="elman", hidden=50, cell_options=options, dtype="float64")
    drawn = scales(0.95, topology="cycle", distribution="sign")
    genome, _ = draw_reservoir(network, drawn, np.random.default_rng(3))
    assert memory_capacity(network, genome) == pytest.approx(49.005921, abs=0.02)


def test_a_delay_line_holds_the_last_inputs_and_no_more():
    options = {"activation": evorrn.identity}
    network = Network(1, 1, cell="elman", hidden=12, cell_options=options, dtype="float64")
    genome, _ = draw_reservoir(network, scales(topology="delay-line"), np.random.default_rng(0))
    capacity = memory_capacity(network, genome, delays=40)
    np.testing.assert_allclose(capacity.by_delay, np.arange(40) < 11, atol=0.02)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_an_echo_state_network_trains_with_every_topology(topology):
    task = evorrn.task("narma", train=300, valid=100, test=100)
    network = Network.for_task(task, cell="leaky", hidden=40, direct=True, dtype="float64")
    strategy = evorrn.EchoState(reservoirs=2, topology=topology, distribution="sign", leak=1.0)
    result = strategy.fit(network, task, seed=1)
    assert result.metrics["test"]["nrmse_std"] < 0.9
    assert ("links" in result.history) == (topology in ("random", "small-world"))


def test_a_density_of_a_topology_with_links_of_its_own_is_refused():
    with pytest.raises(ConfigError, match="density: the topology cycle has its own links"):
        evorrn.EchoState(topology="cycle", density=0.2)
    with pytest.raises(ConfigError, match="topology: unknown value 'ring'"):
        evorrn.EchoState(topology="ring")


def test_stored_settings_of_earlier_runs_leave_the_new_settings_out():
    earlier = evorrn.EchoState(reservoirs=2).stored_values()
    assert not {"topology", "distribution", "jump", "moved"} & set(earlier)
    assert evorrn.EchoState(topology="cycle").stored_values()["topology"] == "cycle"


def one_way(sizes, options):
    """Return a mask that leads from each unit to later ones alone."""
    return np.tril(np.ones((sizes["H"], sizes["H"])), -1)


@evorrn.cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    fixed={"mask": evorrn.Fixed("H H", one_way)},
)
def layered(p, x, h):
    """A layer in which every unit sees earlier units alone."""
    return evorrn.tanh(p.W_x @ x + (p.mask * p.W_h) @ h + p.b)


@pytest.mark.parametrize(
    ("cell", "given", "problem"),
    [
        (layered, {}, "topology random .* lead in no circle"),
        (layered, {"topology": "small-world"}, "topology small-world .* lead in no circle"),
        (layered, {"topology": "cycle"}, "topology cycle .* lead in no circle"),
        ("clockwork", {"topology": "jump-cycle"}, "topology jump-cycle .* lead in no circle"),
        ("leaky", {"topology": "delay-line", "groups": 9}, "among 1 units are none"),
    ],
)
def test_a_reservoir_without_a_circle_of_links_is_refused_with_what_would_serve(cell, given, problem):
    """All its eigenvalues are 0, so that no factor gives it the spectral radius."""
    rng = np.random.default_rng(0)
    batch = evorrn.Batch(rng.normal(size=(1, 60, 1)), rng.normal(size=(1, 60, 1)))
    network = Network(1, 1, cell=cell, hidden=9, dtype="float64")
    strategy = evorrn.EchoState(reservoirs=1, **given)
    with pytest.raises(
        ConfigError,
        match=f"layer0.W_h: the links of {problem}.*delay-line.*fit_readout"
        if "none" not in problem
        else problem,
    ):
        strategy.fit(network, batch)
    assert np.isfinite(strategy.fit_readout(network, batch, network.init(seed=0)).metrics["train"]["rmse"])
    resting = evorrn.EchoState(reservoirs=1, spectral_radius=0.0, **given).fit(network, batch)
    assert np.isfinite(resting.metrics["train"]["rmse"])


def test_a_delay_line_under_a_mask_of_earlier_units_has_the_radius_as_its_weights():
    network = Network(1, 1, cell=layered, hidden=9, dtype="float64")
    genome, _ = draw_reservoir(network, scales(topology="delay-line"), np.random.default_rng(0))
    np.testing.assert_array_equal(network.unpack(genome)["layer0.W_h"], 0.9 * np.eye(9, k=-1))


def test_links_between_groups_keep_to_a_mask():
    network = Network(1, 1, cell=layered, hidden=9, dtype="float64")
    drawn = Scales(0.9, 4, 0.3, 0.0, 0.05, graph=Graph("delay-line"), groups=3, group_density=1.0)
    matrix = network.unpack(draw_reservoir(network, drawn, np.random.default_rng(0))[0])["layer0.W_h"]
    later = np.arange(9)[:, None] // 3 > np.arange(9) // 3
    assert (matrix[later] != 0).all() and not np.triu(matrix).any()


@pytest.mark.parametrize("units", [1, 2, 5, 300])
def test_an_orthogonal_reservoir_is_orthogonal_times_its_radius(units):
    matrix = recurrent(units, topology="orthogonal")
    np.testing.assert_allclose(matrix @ matrix.T, 0.81 * np.eye(units), atol=1e-12)
    other = recurrent(units, seed=5, topology="orthogonal")
    assert units < 3 or np.abs(matrix - other).max() > 0.01


def test_orthogonal_groups_are_orthogonal_each():
    network = Network(1, 1, cell="leaky", hidden=7, dtype="float64")
    grouped = Scales(0.9, 4, 0.3, 0.0, 0.05, graph=Graph("orthogonal"), groups=2)
    matrix = network.unpack(draw_reservoir(network, grouped, np.random.default_rng(0))[0])["layer0.W_h"]
    np.testing.assert_allclose(matrix @ matrix.T, 0.81 * np.eye(7), atol=1e-12)
    assert not matrix[:4, 4:].any() and not matrix[4:, :4].any()


def test_an_edge_of_stability_reservoir_turns_its_state_and_only_its_recurrent_weights_have_the_radius():
    network = Network(2, 1, cell="es2n", hidden=30, dtype="float64", cell_options={"proximity": 0.2})
    genome, _ = draw_reservoir(network, scales(radius=0.7), np.random.default_rng(0))
    blocks = network.unpack(genome)
    q, w = blocks["layer0.Q"], blocks["layer0.W_h"]
    np.testing.assert_allclose(q @ q.T, np.eye(30), atol=1e-12)
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(0.7)
    x, h = np.random.default_rng(1).normal(size=(1, 12, 2)), np.zeros(30)
    states = network.states(genome, x)[0]
    for t in range(12):
        h = 0.8 * q @ h + 0.2 * np.tanh(blocks["layer0.W_x"] @ x[0, t] + w @ h + blocks["layer0.b"])
        np.testing.assert_allclose(states[t], h, atol=1e-12)
    task = evorrn.task("narma", train=300, valid=100, test=100)
    result = evorrn.EchoState().fit(Network.for_task(task, cell="es2n", hidden=30, dtype="float64"), task)
    assert result.metrics["test"]["nrmse_std"] < 1.0
