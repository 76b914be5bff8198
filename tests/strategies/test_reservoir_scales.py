"""Scales by input and by layer, groups of units, and penalties for each output."""

import numpy as np
import pytest

import evorrn
from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.ridge import ridge
from evorrn.strategies.reservoir.topology import Graph


def drawn(network, **scales):
    usual = {"spectral_radius": 0.8, "links": 4, "inputs": 0.5, "biases": 0.1, "feedback": 0.2}
    genome, _ = draw_reservoir(network, Scales(**{**usual, **scales}), np.random.default_rng(0))
    return network.unpack(genome)


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def test_each_input_and_each_layer_has_its_factor():
    network = Network(2, 1, cell="leaky", hidden=(12, 9), feedback=True, dtype="float64")
    plain = drawn(network)
    found = drawn(network, input_factors=(0.0, 3.0), radius_factors=(1.0, 0.5), layer_factors=(2.0, 0.1))
    np.testing.assert_allclose(found["layer0.W_x"], plain["layer0.W_x"] * [0.0, 6.0, 1.0])
    np.testing.assert_allclose(found["layer1.W_x"], plain["layer1.W_x"] * 0.1)
    assert radius(found["layer0.W_h"]) == pytest.approx(0.8) and radius(found["layer1.W_h"]) == pytest.approx(
        0.4
    )


@pytest.mark.parametrize(("units", "groups"), [(12, 3), (10, 4), (5, 5), (7, 1)])
def test_units_of_one_group_have_no_links_to_others_and_each_group_has_the_radius(units, groups):
    matrix = drawn(Network(1, 1, hidden=units, dtype="float64"), groups=groups)["layer0.W_h"]
    whole = np.zeros_like(matrix)
    for part in np.array_split(np.arange(units), groups):
        whole[np.ix_(part, part)] = matrix[np.ix_(part, part)]
        assert radius(matrix[np.ix_(part, part)]) == pytest.approx(0.8)
    np.testing.assert_array_equal(matrix, whole)


@pytest.mark.parametrize(
    ("units", "groups", "topology"),
    [(60, 3, "random"), (9, 2, "cycle"), (5, 5, "sign"), (80, 2, "delay-line")],
)
def test_linked_groups_have_links_of_the_density_and_scale_and_together_the_radius(units, groups, topology):
    distribution = "sign" if topology == "sign" else "uniform"
    graph = Graph("random" if topology == "sign" else topology, distribution)
    found = []
    for scaling in (1.0, 0.25):
        scales = Scales(
            0.8, 4, 0.3, 0.1, 0.0, graph=graph, groups=groups, group_density=0.3, group_scaling=scaling
        )
        network = Network(1, 1, cell="leaky", hidden=units, dtype="float64")
        matrix = network.unpack(draw_reservoir(network, scales, np.random.default_rng(1))[0])["layer0.W_h"]
        assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(0.8, rel=1e-6)
        group = np.concatenate(
            [np.full(len(part), k) for k, part in enumerate(np.array_split(np.arange(units), groups))]
        )
        between = group[:, None] != group
        share = (matrix[between] != 0).mean()
        assert abs(share - 0.3) < 4 * np.sqrt(0.21 / between.sum())
        within = np.abs(matrix[~between]).max()
        found.append(np.abs(matrix[between]).max() / within)
        if topology == "sign":  # one size of weights within a group, another between groups
            np.testing.assert_allclose(np.abs(matrix[between & (matrix != 0)]) / within, scaling)
    assert found[1] == pytest.approx(found[0] / 4)


def test_groups_that_are_not_linked_are_those_of_before_the_links():
    network = Network(1, 1, cell="leaky", hidden=20, dtype="float64")
    plain, linked = (
        draw_reservoir(network, Scales(0.8, 4, 0.3, 0.1, 0.0, groups=2, **more), np.random.default_rng(1))[0]
        for more in ({}, {"group_density": 0.0, "group_scaling": 3.0})
    )
    np.testing.assert_array_equal(plain, linked)
    with pytest.raises(
        ConfigError, match="group_density: expected at least two groups, whose units it links, got 1"
    ):
        evorrn.EchoState(group_density=0.1)


def test_a_reservoir_of_linked_groups_learns():
    task = evorrn.task("narma", train=300, valid=100, test=100)
    strategy = evorrn.EchoState(groups=3, group_density=0.1, group_scaling=0.5)
    result = strategy.fit(Network.for_task(task, cell="leaky", hidden=30, dtype="float64"), task)
    assert result.metrics["test"]["nrmse_std"] < 1.0


def test_a_wrong_number_of_factors_or_groups_is_refused_with_every_problem():
    batch = Batch(np.zeros((1, 30, 2)), np.zeros((1, 30, 1)))
    network = Network(2, 1, cell="leaky", hidden=6, dtype="float64")
    strategy = EchoState(reservoirs=1, input_factors=(1.0,), layer_factors=(1.0, 2.0), groups=7)
    with pytest.raises(ConfigError) as caught:
        strategy.fit(network, batch)
    text = str(caught.value)
    assert "input_factors: expected 2 factors, one for each of the inputs, got 1" in text
    assert "layer_factors: expected 1 factors" in text and "groups: expected at most 6 units, got 7" in text


@pytest.mark.parametrize("select", ["blocks", "gcv"])
@pytest.mark.parametrize("solver", ["svd", "cholesky"])
def test_a_penalty_for_each_output_is_the_fit_of_each_output_alone(select, solver):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 20))
    noise = rng.normal(size=(60, 3)) * [0.01, 1.0, 30.0]
    targets = features @ rng.normal(size=(20, 3)) + noise
    alphas = np.logspace(-8, 2, 11)
    options = {"select": select, "solver": solver}
    found = ridge(features, targets, alphas, each_output=True, **options)
    for o in range(3):
        alone = ridge(features, targets[:, o : o + 1], alphas, **options)
        assert found.alphas[o] == alone.alpha
        np.testing.assert_allclose(found.weights[o], alone.weights[0], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(found.bias[o], alone.bias[0], rtol=1e-8, atol=1e-12)
        if found.unseen is not None:
            np.testing.assert_allclose(found.unseen[:, o], alone.unseen[:, 0], rtol=1e-7, atol=1e-9)
    assert len(set(found.alphas)) > 1 and found.alpha == found.alphas.max()


def test_an_echo_state_network_takes_penalties_for_each_output():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1, 200, 1))
    targets = np.concatenate([inputs, rng.normal(size=(1, 200, 1))], axis=2)
    network = Network(1, 2, cell="leaky", hidden=40, dtype="float64")
    losses = [
        EchoState(reservoirs=1, penalties=kind, alphas=(1e-9, 1.0))
        .fit(network, Batch(inputs, targets))
        .genome
        for kind in ("shared", "each")
    ]
    assert not np.array_equal(*losses)


def test_input_weights_are_as_sparse_as_the_density_says_and_the_others_are_drawn_as_before():
    network = Network(6, 1, cell="leaky", hidden=(300, 40), dtype="float64")
    plain, found = drawn(network), drawn(network, input_density=0.25)
    for block, count in (("layer0.W_x", 1800), ("layer1.W_x", 12_000)):
        kept = found[block] != 0
        assert abs(kept.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / count)
    kept = found["layer0.W_x"] != 0
    np.testing.assert_array_equal(found["layer0.W_x"][kept], plain["layer0.W_x"][kept])
    assert "input_density" not in EchoState().stored_values()
    data = Batch(np.random.default_rng(0).normal(size=(1, 60, 6)), np.ones((1, 60, 1)))
    result = EchoState(input_density=0.01).fit(network, data)  # some units see no input
    assert result.metrics["train"]["rmse"] < 0.03
    with pytest.raises(ConfigError, match="input_density: expected a value > 0, got 0"):
        EchoState(input_density=0)
