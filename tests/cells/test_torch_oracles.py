"""Cells against torchrecurrent weight for weight, and their gradients against PyTorch's autograd."""

import naive
import naive_classical
import naive_timed
import numpy as np
import pytest

from evorrn import Batch, Network

pytestmark = pytest.mark.oracle


def drawn(cell, seed):
    """Return a network of float64 and a genome, of drawn sizes and with one to three layers, and a ragged batch."""
    rng = np.random.default_rng([seed, *cell.encode()])
    inputs, outputs, layers = (int(n) for n in rng.integers(1, (6, 4, 4)))
    hidden = tuple(int(n) for n in rng.integers(1, 18, layers))
    options = naive_timed.draw_options(rng, cell) if cell in naive_timed.CELLS else {}
    network = Network(inputs, outputs, cell=cell, hidden=hidden, cell_options=options, dtype="float64")
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    sequences, steps = (int(n) for n in rng.integers(1, (40, 30)))
    lengths = rng.integers(1, steps + 1, sequences)
    mask = (rng.random((sequences, steps)) < 0.7) | (np.arange(steps) == lengths[:, None] - 1)
    shape = (sequences, steps)
    batch = Batch(
        rng.standard_normal((*shape, inputs)), rng.standard_normal((*shape, outputs)), mask, lengths
    )
    return network, genome, batch


# --- torchrecurrent --------------------------------------------------------------------------------------


def stacked(blocks, layer, names):
    return np.concatenate([blocks[f"layer{layer}.{name}"] for name in names.split()])


def run_cells(torch, make, network, blocks, x, scale=lambda weights: weights):
    """Return the states (B, T, H) of the last layer of cells of torchrecurrent that have the weights of a network."""
    kind, tables = make
    signal = torch.tensor(x)
    for layer, units in enumerate(network.hidden):
        cell = kind(signal.shape[2], units, recurrent_bias=False).double()
        weights = scale({key: stacked(blocks, layer, names) for key, names in tables.items()})
        with torch.no_grad():
            for key, value in weights.items():
                getattr(cell, key).copy_(torch.tensor(value))
        state, states = None, []
        for t in range(x.shape[1]):
            state = cell(signal[:, t], state)
            states.append(state[0] if isinstance(state, tuple) else state)
        signal = torch.stack(states, dim=1)
    return signal.detach().numpy()


def halved_candidate(weights):
    """Return weights with half the candidate's: OriginalLSTM has tanh where 1997 has 4 sigmoid - 2, twice its value."""
    halved = {key: value.copy() for key, value in weights.items()}
    for value in halved.values():
        units = len(value) // 3
        value[units : 2 * units] /= 2
    return halved


GATES = {
    "lstm-1997": (
        "OriginalLSTMCell",
        {"weight_ih": "W_i W_g W_o", "weight_hh": "U_i U_g U_o", "bias_ih": "b_i b_g b_o"},
        halved_candidate,
    ),
    "lstm-peephole": (
        "PeepholeLSTMCell",
        {
            "weight_ih": "W_i W_f W_g W_o",
            "weight_hh": "U_i U_f U_g U_o",
            "weight_ph": "p_i p_f p_o",
            "bias_ih": "b_i b_f b_g b_o",
        },
        lambda weights: weights,
    ),
    "mgu": (
        "MGUCell",
        {"weight_ih": "W_f W_n", "weight_hh": "U_f U_n", "bias_ih": "b_f b_n"},
        lambda weights: weights,
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", GATES)
def test_states_equal_those_of_torchrecurrent_weight_for_weight(cell, seed):
    torch, other = pytest.importorskip("torch"), pytest.importorskip("torchrecurrent")
    network, genome, batch = drawn(cell, seed)
    kind, tables, scale = GATES[cell]
    blocks = network.unpack(genome)
    wanted = run_cells(torch, (getattr(other, kind), tables), network, blocks, batch.inputs, scale)
    got = network.states(genome, batch.inputs, lengths=batch.lengths)
    inside = np.arange(batch.steps) < batch.lengths[:, None]
    np.testing.assert_allclose(got[inside], wanted[inside], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_projected_lstm_equals_that_of_pytorch_weight_for_weight(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng([7, seed])
    inputs, units, size = (int(n) for n in rng.integers(2, (6, 20, 9)))
    size = min(size, units - 1)
    network = Network(
        inputs, 1, cell="lstm-projection", hidden=units, cell_options={"P": size}, dtype="float64"
    )
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    blocks = network.unpack(genome)
    theirs = torch.nn.LSTM(inputs, units, proj_size=size, batch_first=True).double()
    names = {
        "weight_ih_l0": "W_i W_f W_g W_o",
        "weight_hh_l0": "U_i U_f U_g U_o",
        "bias_ih_l0": "b_i b_f b_g b_o",
        "weight_hr_l0": "W_p",
    }
    with torch.no_grad():
        theirs.bias_hh_l0.zero_()
        for key, ours in names.items():
            getattr(theirs, key).copy_(torch.tensor(stacked(blocks, 0, ours)))
    x = rng.standard_normal((7, 25, inputs))
    wanted = theirs(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(network.states(genome, x), wanted, rtol=0, atol=1e-12)


# --- Gradients by PyTorch's autograd ------------------------------------------------------------------------


def autograd(torch, network, genome, batch):
    """Return loss and gradient of the mean squared error, from the equations of `naive` on tensors."""
    genes = torch.tensor(genome, requires_grad=True)
    ends = np.cumsum([0, *(block.size for block in network.unpack(genome).values())])
    blocks = {
        name: genes[start:stop].reshape(block.shape if block.ndim > 1 else (-1, 1))
        for (name, block), start, stop in zip(network.unpack(genome).items(), ends, ends[1:])
    }
    cell, options = network.cell.name, network.cell_options
    layers = []
    for layer in range(len(network.hidden)):
        prefix = f"layer{layer}."
        layers.append({k.removeprefix(prefix): v for k, v in blocks.items() if k.startswith(prefix)})
    shapes = naive.state_shapes(cell, network.hidden, network.inputs, network.outputs, options)
    states = [{k: torch.zeros(*shape, batch.size).double() for k, shape in each.items()} for each in shapes]
    x, target = torch.tensor(batch.inputs), torch.tensor(batch.targets)
    y, total = torch.zeros(network.outputs, batch.size).double(), 0.0
    for t in range(batch.steps):
        moving = torch.tensor(t < batch.lengths)
        signal = torch.where(moving, x[:, t].T, 0.0)
        for layer, weights in enumerate(layers):
            new = naive.CELLS[cell](weights, signal, states[layer], y, options)
            states[layer] = {k: torch.where(moving, new[k], states[layer][k]) for k in new}
            signal = torch.cat([states[layer][k] for k in naive.output_names(cell)])
        y = torch.where(moving, blocks["readout.W"] @ signal + blocks["readout.b"], y)
        scored = torch.tensor(batch.scored[:, t])
        total = total + torch.where(scored, ((y - target[:, t].T) ** 2).sum(dim=0), 0.0).sum()
    loss = total / (batch.scored.sum() * network.outputs)
    loss.backward()
    return loss.item(), genes.grad.numpy()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", [*naive_classical.CELLS, *naive_timed.CELLS])
def test_loss_and_gradient_equal_those_of_autograd(cell, seed):
    torch = pytest.importorskip("torch")
    network, genome, batch = drawn(cell, seed)
    untaught = {"teacher": np.full(batch.targets.shape, np.nan)} if network.cell.sees_output else {}
    loss, gradient = network.loss_and_gradient(genome, batch, **untaught)
    wanted_loss, wanted = autograd(torch, network, genome, batch)
    assert loss == pytest.approx(wanted_loss, rel=1e-12)
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-12 * max(1.0, np.abs(wanted).max()))
