"""Networks without biases: biases are left out, and everything else is unchanged."""

import naive
import numpy as np
import pytest
import worlds

import evorrn
from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data.batch import Batch
from evorrn.engine.individuals.environments import environment_starts
from evorrn.network.network import Network

CELLS = ["elman", "jordan", "leaky", "lstm", "gru", "gru-reset-before", "indrnn"]


def pair(cell, **settings):
    """Return a network without biases and the same with biases."""
    usual = {"inputs": 2, "outputs": 2, "cell": cell, "hidden": (4, 3), "dtype": "float64", **settings}
    return Network(**usual, biases=False), Network(**usual)


def with_zeros(bare, full, genome):
    """Return the blocks of a genome, and zero for every block that it lacks."""
    blocks = {name: np.zeros(shape) for name, shape in full.blocks.items()}
    return {**blocks, **{name: np.asarray(value, float) for name, value in bare.unpack(genome).items()}}


def is_bias(name):
    return name.split(".")[1][0] in "bc"


@pytest.mark.parametrize("cell", CELLS)
def test_only_biases_are_left_out_and_results_are_those_of_zero_biases(cell):
    bare, full = pair(cell, direct=True)
    assert list(bare.blocks) == [name for name in full.blocks if not is_bias(name)]
    assert len(full.blocks) - len(bare.blocks) >= 3
    assert len(bare.init(seed=0)) == bare.size == sum(np.prod(shape) for shape in bare.blocks.values())
    rng = np.random.default_rng(0)
    genome = rng.standard_normal(bare.size)
    x = rng.standard_normal((1, 6, 2))
    options = bare.cell_options
    expected, _ = naive.run(
        with_zeros(bare, full, genome), cell, bare.hidden, options, x, [6], direct=True, outputs=2
    )
    values = {n: np.zeros([bare.sizes[d] for d in shape]) for n, shape in bare.step.states.items()}
    values |= bare.unpack(genome)
    values |= {name: options[name.split(".")[1]] for name in bare.step.options}
    for t in range(6):
        new = bare.step.graph.evaluate({**values, "x": x[0, t]})
        np.testing.assert_allclose(new["y"], expected[0, t], rtol=1e-12)
        values.update({name: value for name, value in new.items() if name in values})


@pytest.mark.thorough
def test_every_program_runs_without_biases():
    bare, full = pair("gru")
    rng = np.random.default_rng(1)
    genome = rng.standard_normal(bare.size)
    blocks = with_zeros(bare, full, genome)
    for sequences in (1, 9):  # units as vectors, sequences as lanes
        x = rng.standard_normal((sequences, 5, 2))
        batch = Batch(x, rng.standard_normal((sequences, 5, 2)))
        expected, _ = naive.run(blocks, "gru", bare.hidden, {}, x, [5] * sequences, outputs=2)
        np.testing.assert_allclose(bare.predict(genome, x), expected, rtol=1e-9)
        loss, gradient = bare.loss_and_gradient(genome, batch)
        assert loss == pytest.approx(np.mean((expected - batch.targets) ** 2), rel=1e-9)
        direction = rng.standard_normal(bare.size)
        ahead, behind = (-bare.fitness((genome + step * direction)[None], batch)[0] for step in (1e-6, -1e-6))
        assert gradient @ direction == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)
    environment = worlds.Pendulum()
    start = environment_starts(environment, 1, np.random.default_rng(2))
    returns, _ = bare.simulate(genome[None], environment, start)
    rewards = worlds.rollout(bare, genome, environment, start[0], 30)[2]
    assert returns[0, 0] == pytest.approx(rewards.sum(), rel=1e-9)


@evorrn.cell(state={"h": "H"}, parameters={"W": "H I", "b threshold scale": "H"})
def particular(p, x, h):
    """A cell whose vectors are summand, subtrahend, and summand as well as factor."""
    return evorrn.tanh(p.W @ x + p.b - p.threshold + p.scale + p.scale * h)


def test_a_vector_that_is_not_only_added_is_no_bias():
    bare = Network(1, 1, cell=particular, hidden=2, biases=False)
    assert list(bare.blocks) == ["layer0.W", "layer0.threshold", "layer0.scale", "readout.W"]


def test_settings_make_the_same_network_again():
    bare, full = pair("elman")
    assert bare.settings()["biases"] is False
    assert Network.from_settings(bare.settings()).blocks == bare.blocks
    assert "biases" not in full.settings()  # so that older runs keep their names
    with pytest.raises(ConfigError, match=r"network.biases: expected true or false, got 0"):
        Network(1, 1, biases=0)
    with pytest.raises(ConfigError, match=r"unknown block 'b'"):
        Network(1, 1, biases=False, initial={"b": "ones"})


def test_weights_convert_to_pytorch_modules_without_bias_and_back():
    torch = pytest.importorskip("torch")
    bare, _ = pair("lstm", hidden=(4, 4))
    genome = bare.init(seed=3)
    state_dict = bare.to_torch(genome)
    assert not [name for name in state_dict if "bias" in name]
    np.testing.assert_array_equal(bare.from_torch(state_dict), genome)
    rnn = torch.nn.LSTM(2, 4, 2, bias=False, batch_first=True, dtype=torch.float64)
    rnn.load_state_dict(
        {name[4:]: torch.tensor(value) for name, value in state_dict.items() if name.startswith("rnn")}
    )
    x = np.random.default_rng(0).standard_normal((9, 5, 2))
    with torch.no_grad():
        hidden = rnn(torch.tensor(x))[0].numpy()
    np.testing.assert_allclose(bare.states(genome, x), hidden, rtol=1e-9)
    with pytest.raises(ShapeError, match=r"unknown weight 'readout.bias'"):
        bare.from_torch({**state_dict, "readout.bias": np.zeros(2)})


@pytest.mark.parametrize("strategy", [evorrn.EchoState(), evorrn.Evolino()], ids=["esn", "evolino"])
def test_a_solved_readout_needs_its_bias(strategy):
    bare, _ = pair("elman")
    batch = Batch(np.zeros((1, 30, 2)), np.zeros((1, 30, 2)))
    with pytest.raises(ConfigError, match=rf"strategy {strategy.name}: .* needs network.biases = true"):
        strategy.fit(bare, batch, seed=0, budget=evorrn.Budget(generations=1))
