"""What the literature says of the classical cells: special cases, constant memory, and what a gate sees."""

import numpy as np
import pytest

from evorrn import Network
from evorrn.compile.blocks import RECURRENT
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir


def made(cell, rng, inputs=3, outputs=2, hidden=6, **settings):
    """Return a network of float64, a genome, and its blocks by the names of the parameters: views of the genome."""
    network = Network(inputs, outputs, cell=cell, hidden=hidden, dtype="float64", **settings)
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    return network, genome, {name.removeprefix("layer0."): v for name, v in network.unpack(genome).items()}


def copied(blocks, other, rename=lambda name: name):
    for name, block in blocks.items():
        if rename(name) in other:
            block[...] = other[rename(name)]


def test_the_lstm_of_1997_keeps_its_memory_for_100_000_steps_while_its_input_gates_are_closed():
    rng = np.random.default_rng(0)
    network, genome, w = made("lstm-1997", rng, hidden=3)
    w["b_i"][...] = -1000.0
    state = rng.standard_normal((2, network.state_size))
    x = rng.standard_normal((2, 100_000, 3))
    _, last = network.predict(genome, x, state=state, return_state=True)
    np.testing.assert_array_equal(last[:, 3:], state[:, 3:])


def test_the_lstm_of_1997_forgets_nothing_where_an_lstm_with_open_forget_gates_does_not():
    rng = np.random.default_rng(1)
    old, genome, w = made("lstm-1997", rng)
    new, like, v = made("lstm", rng)
    copied(v, w)
    v["b_f"][...] = 50.0
    v["U_f"][...] = v["W_f"][...] = 0.0
    state = rng.standard_normal((4, 12))
    x = rng.standard_normal((4, 1, 3))
    _, first = old.predict(genome, x, state=state, return_state=True)
    _, second = new.predict(like, x, state=state, return_state=True)
    gate = 1 / (1 + np.exp(-(x[:, 0] @ w["W_i"].T + state[:, :6] @ w["U_i"].T + w["b_i"])))
    inner = x[:, 0] @ w["W_g"].T + state[:, :6] @ w["U_g"].T + w["b_g"]
    np.testing.assert_allclose(first[:, 6:] - state[:, 6:], gate * 2 * np.tanh(inner / 2), atol=1e-13)
    np.testing.assert_allclose(second[:, 6:] - state[:, 6:], gate * np.tanh(inner), atol=1e-13)


def test_a_peephole_lstm_without_peepholes_is_an_lstm():
    rng = np.random.default_rng(2)
    network, genome, w = made("lstm-peephole", rng)
    plain, like, v = made("lstm", rng)
    copied(v, w)
    x = rng.standard_normal((5, 20, 3))
    assert np.abs(network.predict(genome, x) - plain.predict(like, x)).max() > 1e-3
    for name in ("p_i", "p_f", "p_o"):
        w[name][...] = 0.0
    np.testing.assert_allclose(network.predict(genome, x), plain.predict(like, x), rtol=0, atol=1e-13)


def test_the_output_gate_of_a_peephole_lstm_sees_the_new_memory():
    network, genome, w = made("lstm-peephole", np.random.default_rng(3), hidden=1, inputs=1, outputs=1)
    genome[...] = 0.0
    w["W_g"][...], w["p_o"][...], w["readout.W"][...] = 1.0, 3.0, 1.0
    c = 0.5 * np.tanh(0.7)
    wanted = np.tanh(c) / (1 + np.exp(-3 * c))
    assert network.predict(genome, np.full((1, 1, 1), 0.7))[0, 0, 0] == pytest.approx(wanted, rel=1e-14)


def test_the_input_gate_of_a_coupled_lstm_is_one_minus_its_forget_gate():
    rng = np.random.default_rng(4)
    network, genome, w = made("lstm-coupled", rng)
    plain, like, v = made("lstm", rng)
    copied(v, w)
    for kind in "WUb":
        v[f"{kind}_i"][...] = -v[f"{kind}_f"]  # sigmoid(-a) is 1 - sigmoid(a)
    x = rng.standard_normal((5, 20, 3))
    np.testing.assert_allclose(network.predict(genome, x), plain.predict(like, x), rtol=0, atol=1e-13)


def test_a_recurrent_output_layer_filters_the_outputs_of_an_lstm():
    rng = np.random.default_rng(5)
    network, genome, w = made("lstm-output-feedback", rng, outputs=2)
    plain, like, v = made("lstm", rng, outputs=2)
    assert network.size == plain.size + 2 * 2
    copied(v, {name: block for name, block in w.items() if name != "readout.W"})
    v["readout.W"][...] = w["readout.W"][:, :6]
    x = rng.standard_normal((5, 30, 3))
    wanted = plain.predict(like, x)
    for t in range(1, 30):
        wanted[:, t] += wanted[:, t - 1] @ w["readout.W"][:, 6:].T
    np.testing.assert_allclose(network.predict(genome, x), wanted, rtol=0, atol=1e-12)


def test_a_closed_gate_of_a_minimal_gated_unit_keeps_its_state():
    rng = np.random.default_rng(6)
    network, genome, w = made("mgu", rng)
    w["b_f"][...] = -1000.0
    state = rng.standard_normal((2, 6))
    _, last = network.predict(genome, rng.standard_normal((2, 1000, 3)), state=state, return_state=True)
    np.testing.assert_array_equal(last, state)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("gru-1", marks=pytest.mark.thorough),
        pytest.param("gru-2", marks=pytest.mark.thorough),
        "gru-3",
    ],
)
def test_the_gates_of_reduced_gated_units_do_not_see_the_input(cell):
    """Without weights to the candidate, which is the only other reader, the input has no effect at all."""
    rng = np.random.default_rng(7)
    network, genome, w = made(cell, rng)
    x = rng.standard_normal((2, 15, 3))
    assert np.abs(network.predict(genome, x) - network.predict(genome, -x)).max() > 1e-3
    w["W_n"][...] = 0.0
    np.testing.assert_array_equal(network.predict(genome, x), network.predict(genome, -x))


def test_a_gated_unit_whose_gates_are_biases_smooths_its_candidate_exponentially():
    rng = np.random.default_rng(8)
    network, genome, w = made("gru-3", rng)
    w["U_n"][...] = 0.0
    x = rng.standard_normal((4, 25, 3))
    share = 1 / (1 + np.exp(-w["b_z"]))
    h, wanted = np.zeros((4, 6)), []
    for t in range(25):
        h = (1 - share) * h + share * np.tanh(x[:, t] @ w["W_n"].T + w["b_n"])
        wanted.append(h)
    np.testing.assert_allclose(network.states(genome, x), np.stack(wanted, axis=1), rtol=0, atol=1e-13)


def test_a_fully_recurrent_network_is_any_elman_network_with_its_outputs_as_units_one_step_late():
    rng = np.random.default_rng(9)
    elman, genome, v = made("elman", rng, outputs=2, hidden=5, cell_options={"activation": "sigmoid"})
    network, like, w = made("fully-recurrent", rng, outputs=2, hidden=7)
    like[...] = 0.0
    w["W_x"][:5], w["W_h"][:5, :5], w["b"][:5] = v["W_x"], v["W_h"], v["b"]
    w["W_h"][5:, :5], w["b"][5:] = v["readout.W"], v["readout.b"]
    w["readout.W"][:, 5:] = np.eye(2)  # two units are the outputs
    x = rng.standard_normal((3, 20, 3))
    wanted = 1 / (1 + np.exp(-elman.predict(genome, x)))
    np.testing.assert_allclose(network.predict(like, x)[:, 1:], wanted[:, :-1], rtol=0, atol=1e-13)


def test_a_recurrent_perceptron_without_recurrent_weights_is_a_perceptron_at_each_step():
    rng = np.random.default_rng(10)
    network, genome, w = made("rmlp", rng)
    w["R"][...] = 0.0
    x = rng.standard_normal((3, 20, 3))
    hidden = np.tanh(np.tanh(x @ w["A"].T + w["a"]) @ w["B"].T + w["b"])
    wanted = hidden @ w["readout.W"].T + w["readout.b"]
    np.testing.assert_allclose(network.predict(genome, x), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("cell", "ones", "small"),
    [
        ("fully-recurrent", "", "W_x W_h b"),
        ("lstm-1997", "", ""),
        ("lstm-peephole", "b_f", "p_i p_f p_o"),
        ("lstm-counting", "b_f", "p_i p_f p_o"),
        ("lstm-coupled", "b_f", ""),
        ("lstm-output-feedback", "b_f", ""),
    ],
)
def test_biases_of_forget_gates_start_at_one_and_other_biases_at_zero(cell, ones, small):
    network = Network(3, 2, cell=cell, hidden=16)
    for name, block in network.unpack(network.init(seed=1)).items():
        short = name.removeprefix("layer0.")
        if short in small.split():
            assert 0 < np.abs(block).max() <= 0.25  # 1/sqrt(16)
        elif block.ndim == 1:
            assert (block == (1.0 if short in ones.split() else 0.0)).all()


RECURRENT_BLOCKS = {
    "fully-recurrent": "W_h",
    "lstm-1997": "U_i U_g U_o",
    "lstm-peephole": "U_i U_f U_g U_o p_i p_f p_o",
    "lstm-counting": "U_i U_f U_g U_o p_i p_f p_o",
    "lstm-coupled": "U_f U_g U_o",
    "lstm-output-feedback": "U_i U_f U_g U_o",
    "mgu": "U_f U_n",
    "gru-1": "U_r U_z U_n",
    "gru-2": "U_r U_z U_n",
    "gru-3": "U_n",
    "rmlp": "R",
}


@pytest.mark.parametrize("cell", RECURRENT_BLOCKS)
def test_a_reservoir_scales_the_weights_through_which_the_state_acts_on_itself_and_no_others(cell):
    network = Network(3, 2, cell=cell, hidden=20, dtype="float64")
    scales = Scales(spectral_radius=0.8, links=7, inputs=0.1, biases=0.05, feedback=0.3)
    genome, _ = draw_reservoir(network, scales, np.random.default_rng(0))
    blocks = network.unpack(genome)
    recurrent = {block.name for block in network.layout if block.role == RECURRENT}
    assert recurrent == {f"layer0.{name}" for name in RECURRENT_BLOCKS[cell].split()}
    for name in recurrent:
        if blocks[name].shape == (20, 20):
            assert np.abs(np.linalg.eigvals(blocks[name])).max() == pytest.approx(0.8)
            assert ((blocks[name] != 0).sum(axis=1) == 7).all()
        else:
            assert np.abs(blocks[name]).max() <= 0.8
    if cell == "rmlp":
        assert (blocks["layer0.B"] != 0).all()
