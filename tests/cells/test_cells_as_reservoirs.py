"""Which weights a reservoir of a cell scales: masked ones, filters, projections, past outputs and groups of units."""

import numpy as np
import pytest

from evorrn import Network
from evorrn.compile.blocks import RECURRENT
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir


def reservoir(cell, hidden, seed=0, **settings):
    network = Network(3, 2, cell=cell, hidden=hidden, dtype="float64", **settings)
    scales = Scales(spectral_radius=0.8, links=5, inputs=0.1, biases=0.05, feedback=0.3)
    genome, _ = draw_reservoir(network, scales, np.random.default_rng(seed))
    return network, genome, {name.removeprefix("layer0."): v for name, v in network.unpack(genome).items()}


@pytest.mark.parametrize(("hidden", "modules"), [(40, 4), (8, 4), (3, 3), (7, 1), (300, 3)])
def test_the_spectral_radius_of_a_clockwork_reservoir_is_that_of_the_links_that_its_mask_keeps(
    hidden, modules
):
    _, _, w = reservoir("clockwork", hidden, cell_options={"modules": modules})
    module = np.arange(hidden) * modules // hidden
    kept = module[None] >= module[:, None]
    assert not w["W_h"][~kept].any()
    assert np.abs(np.linalg.eigvals(w["W_h"])).max() == pytest.approx(0.8)
    links = np.minimum(kept.sum(axis=1), 5)
    np.testing.assert_array_equal((w["W_h"] != 0).sum(axis=1), links)


def test_recurrent_weights_that_are_no_square_matrix_have_a_largest_singular_value():
    _, _, w = reservoir("lstm-projection", 20, cell_options={"P": 6})
    for gate in "ifgo":
        assert np.linalg.norm(w[f"U_{gate}"], 2) == pytest.approx(0.8)
    assert np.linalg.norm(w["W_p"], 2) > 0.9  # no recurrent weights: as they are initialised
    network, genome, w = reservoir("iir", 20, cell_options={"poles": 3})
    assert np.linalg.norm(w["V"].reshape(20, -1), 2) == pytest.approx(0.8)
    states = network.states(genome, np.random.default_rng(1).standard_normal((1, 2000, 3)))
    assert np.isfinite(states).all() and np.abs(states).max() < 1
    for unit in range(20):
        for source in range(3):
            poles = np.roots([1.0, *-w["V"][unit, :, source]])
            assert np.abs(poles).max() < 1


def test_weights_from_past_outputs_have_the_scale_of_feedback():
    _, _, w = reservoir("narx", 50, cell_options={"output_taps": 4})
    assert 0.28 < np.abs(w["W_y"]).max() <= 0.3
    assert 0.09 < np.abs(w["W_x"]).max() <= 0.1


@pytest.mark.parametrize(
    ("cell", "names"),
    [("hierarchical", "W_low W_middle W_high V_low V_middle"), ("mtrnn", "W_ff W_ss"), ("ctrnn", "W")],
)
def test_square_recurrent_blocks_of_every_group_have_the_spectral_radius(cell, names):
    network, _, w = reservoir(cell, 12)
    recurrent = {block.parameter for block in network.layout if block.role == RECURRENT}
    assert recurrent == set(names.split())
    for name in recurrent:
        assert np.abs(np.linalg.eigvals(w[name])).max() == pytest.approx(0.8)


def test_photonic_units_add_linearly_and_show_the_squares_of_their_fields():
    network = Network(2, 1, cell="photonic", hidden=7, dtype="float64")
    genome, x = network.init(seed=3), np.random.default_rng(0).normal(size=(1, 15, 2))
    w, field = network.unpack(genome), np.zeros(7)
    states = network.readout_states(genome, x)[0]
    for t in range(15):
        field = w["layer0.W_x"] @ x[0, t] + w["layer0.W_h"] @ field + w["layer0.b"]
        np.testing.assert_allclose(states[t], field**2, rtol=1e-10)


def test_squashed_units_see_tanh_of_their_inputs_and_bound_a_free_run():
    options = {"leak": 0.4, "scale": 0.3, "shift": -0.1}
    network = Network(1, 1, cell="squashed-leaky", hidden=7, dtype="float64", cell_options=options)
    genome, x = network.init(seed=3), np.random.default_rng(0).normal(size=(1, 15, 1))
    w, h = network.unpack(genome), np.zeros(7)
    states = network.states(genome, x)[0]
    for t in range(15):
        seen = np.tanh(0.3 * x[0, t] - 0.1)
        h = 0.6 * h + 0.4 * np.tanh(w["layer0.W_x"] @ seen + w["layer0.W_h"] @ h + w["layer0.b"])
        np.testing.assert_allclose(states[t], h, atol=1e-12)
    far = network.states(genome, np.full((1, 3, 1), 1e12))
    np.testing.assert_allclose(far, network.states(genome, np.full((1, 3, 1), 1e6)))
