"""Networks of several passes against PyTorch: outputs, losses and gradients in float64, weight for weight."""

import numpy as np
import pytest

from evorrn import Batch, Network

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch")

GATES = {"lstm": ("LSTM", "ifgo"), "gru": ("GRU", "rzn")}
NEAR = {"rtol": 1e-10, "atol": 1e-12}


def torch_parts(blocks, place, cell):
    """Return weight_ih, weight_hh, bias_ih and bias_hh of the blocks at a place."""
    gates = GATES[cell][1]
    parts = [[blocks[f"{place}.{letter}_{gate}"] for gate in gates] for letter in "WUb"]
    second = [np.zeros_like(part) for part in parts[2]]
    if cell == "gru":
        second[2] = blocks[f"{place}.c_n"]
    return [np.concatenate(part) for part in (*parts, second)]


def module(network, genome, prefix="", bidirectional=True):
    """Return layers of PyTorch with the weights of a network."""
    cell, blocks = network.cell.name, network.unpack(genome)
    widths, found = [network.inputs, *(network.hidden[:-1])], torch.nn.ModuleList()
    for layer, units in enumerate(network.hidden):
        width = widths[layer] * (2 if layer and bidirectional else 1)
        made = getattr(torch.nn, GATES[cell][0])(
            width, units, batch_first=True, bidirectional=bidirectional, dtype=torch.float64
        )
        ways = ("forward", "backward") if bidirectional else ("",)
        for way, suffix in zip(ways, ("", "_reverse")):
            place = f"{prefix}layer{layer}" + (f".{way}" if way else "")
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for name, value in zip(names, torch_parts(blocks, place, cell)):
                getattr(made, f"{name}_l0{suffix}").data = torch.tensor(value)
        found.append(made)
    return found


def through(layers, x, lengths):
    """Return the series (B, T, R) of stacked modules, whose sequences end at their lengths."""
    for layer in layers:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, _ = torch.nn.utils.rnn.pad_packed_sequence(
            layer(packed)[0], batch_first=True, total_length=x.shape[1]
        )
    return x


def check_gradients(network, gradient, layers, prefix=""):
    blocks = network.unpack(gradient)
    for number, layer in enumerate(layers):
        both = layer.bidirectional
        for way, suffix in ((".forward", ""), (".backward", "_reverse")) if both else (("", ""),):
            place = f"{prefix}layer{number}{way}"
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for name, value in zip(names[:3], torch_parts(blocks, place, network.cell.name)):
                np.testing.assert_allclose(value, getattr(layer, f"{name}_l0{suffix}").grad.numpy(), **NEAR)


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize(
    ("hidden", "sequences", "steps"), [((5,), 1, 7), ((4, 3), 37, 19), ((3, 5, 2), 6, 1)]
)
def test_bidirectional_layers_are_those_of_pytorch(cell, hidden, sequences, steps):
    rng = np.random.default_rng(len(hidden))
    network = Network(3, 2, cell=cell, hidden=hidden, bidirectional=True, dtype="float64")
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    lengths = rng.integers(1, steps + 1, sequences)
    lengths[0] = steps
    x, y = rng.standard_normal((sequences, steps, 3)), rng.standard_normal((sequences, steps, 2))
    layers = module(network, genome)
    blocks = network.unpack(genome)
    weight, bias = (torch.tensor(blocks[f"readout.{name}"], requires_grad=True) for name in "Wb")
    outputs = through(layers, torch.tensor(x), torch.tensor(lengths)) @ weight.T + bias
    inside = torch.arange(steps)[None, :] < torch.tensor(lengths)[:, None]
    loss = ((outputs - torch.tensor(y)) ** 2)[inside].mean()
    loss.backward()
    batch = Batch(x, y, lengths=lengths)
    found = network.predict(genome, x, lengths=lengths)
    np.testing.assert_allclose(found[inside.numpy()], outputs.detach().numpy()[inside.numpy()], **NEAR)
    value, gradient = network.loss_and_gradient(genome, batch)
    assert value == pytest.approx(loss.item(), rel=1e-10)
    check_gradients(network, gradient, layers)
    np.testing.assert_allclose(network.unpack(gradient)["readout.W"], weight.grad.numpy(), **NEAR)


@pytest.mark.parametrize("cell", GATES)
def test_an_embedding_and_a_readout_of_the_last_step_are_those_of_pytorch(cell):
    rng = np.random.default_rng(5)
    network = Network(
        7, 3, cell=cell, hidden=5, embedding=4, readout="last", loss="cross-entropy", dtype="float64"
    )
    genome, lengths = network.init(rng=rng), rng.integers(1, 10, 37)
    x, y = rng.integers(0, 7, (37, 9)), rng.integers(0, 3, 37)
    blocks = network.unpack(genome)
    table = torch.nn.Embedding.from_pretrained(torch.tensor(blocks["embedding.W"]), freeze=False)
    gates = torch_parts(blocks, "layer0", cell)
    layer = getattr(torch.nn, GATES[cell][0])(4, 5, batch_first=True, dtype=torch.float64)
    for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), gates):
        getattr(layer, f"{name}_l0").data = torch.tensor(value)
    weight, bias = (torch.tensor(blocks[f"readout.{name}"], requires_grad=True) for name in "Wb")
    series = through([layer], table(torch.tensor(x)), torch.tensor(lengths))
    outputs = series[torch.arange(37), torch.tensor(lengths) - 1] @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(y))
    loss.backward()
    value, gradient = network.loss_and_gradient(genome, Batch(x, y, lengths=lengths))
    np.testing.assert_allclose(network.predict(genome, x, lengths=lengths), outputs.detach().numpy(), **NEAR)
    assert value == pytest.approx(loss.item(), rel=1e-10)
    check_gradients(network, gradient, [layer])
    np.testing.assert_allclose(network.unpack(gradient)["embedding.W"], table.weight.grad.numpy(), **NEAR)
    np.testing.assert_allclose(network.unpack(gradient)["readout.W"], weight.grad.numpy(), **NEAR)


@pytest.mark.parametrize("cell, module", [("elman", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("embedding", [0, 3])
def test_state_dicts_of_both_directions_and_of_embeddings_load_into_pytorch(cell, module, layers, embedding):
    rng = np.random.default_rng([layers, embedding])
    network = Network(
        4, 2, cell=cell, hidden=(5,) * layers, bidirectional=True, embedding=embedding, dtype="float64"
    )
    genome = network.init(seed=layers) + 0.1 * rng.standard_normal(network.size)
    weights = network.to_torch(genome)

    def part(prefix):
        return {
            name.removeprefix(prefix): torch.tensor(value)
            for name, value in weights.items()
            if name.startswith(prefix)
        }

    width = embedding or 4
    rnn = getattr(torch.nn, module)(
        width, 5, layers, batch_first=True, bidirectional=True, dtype=torch.float64
    )
    readout = torch.nn.Linear(10, 2, dtype=torch.float64)
    rnn.load_state_dict(part("rnn."))
    readout.load_state_dict(part("readout."))
    x = rng.integers(0, 4, (3, 6)) if embedding else rng.standard_normal((3, 6, 4))
    seen = torch.tensor(x)
    if embedding:
        table = torch.nn.Embedding(4, embedding, dtype=torch.float64)
        table.load_state_dict(part("embedding."))
        seen = table(seen)
    wanted = readout(rnn(seen)[0]).detach().numpy()
    np.testing.assert_allclose(network.predict(genome, x), wanted, **NEAR)
    np.testing.assert_allclose(network.from_torch(weights), genome, **NEAR)
