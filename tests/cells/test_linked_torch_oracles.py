"""Linked steps against PyTorch's autograd, with the equations of each cell written node by node."""

import numpy as np
import pytest
from naive_linked import draw_links

from evorrn import Batch, Network

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


def recursive(p, x, pair, there):
    left, right = (states[0] for states in pair)
    inner = torch.tanh(p["W_l"] @ left + p["W_r"] @ right + p["b"])
    return (inner if any(there) else p["W_x"] @ x,)


def rntn(p, x, pair, there):
    both = torch.cat([states[0] for states in pair])
    product = torch.stack([both @ slice_ @ both for slice_ in p["V"]])
    inner = torch.tanh(product + torch.cat([p["W_l"], p["W_r"]], 1) @ both + p["b"])
    return (inner if any(there) else p["W_x"] @ x,)


def compared(p, x, pair, there):
    left, right = (states[1] for states in pair)
    h = p["W_l"] @ left + p["W_r"] @ right + p["b"]
    if "V" in p:
        h = h + torch.stack([left @ slice_ @ right for slice_ in p["V"]])
    return torch.nn.functional.leaky_relu(h, 0.01), p["W_x"] @ x


def compared_trees(p, x, pair, there):
    h, word = compared(p, x, pair, there)
    left, right = (states[1] for states in pair)
    v = p["M_l"] @ left + p["M_r"] @ right + p["c"]
    if "T" in p:
        v = v + torch.stack([left @ slice_ @ right for slice_ in p["T"]])
    return h, torch.nn.functional.leaky_relu(v, 0.01) if any(there) else word


def gated(p, x, pair, names, first, second):
    """Return a cell of LSTM form with one forget gate for each of two predecessors, named by letters."""
    both = torch.cat([pair[0][0], pair[1][0]])

    def of(gate, key, bias):
        weights = torch.cat([p[f"U_{gate}{first}"], p[f"U_{gate}{second}"]], 1)
        return p[f"W_{key}"] @ x + weights @ both + p[f"b_{bias}"]

    i, g, o = (
        torch.sigmoid(of("i", "i", "i")),
        torch.tanh(of("g", "g", "g")),
        torch.sigmoid(of("o", "o", "o")),
    )
    forget = [torch.sigmoid(of(f"f{side}", key, key)) for side, key in zip((first, second), names)]
    c = i * g + forget[0] * pair[0][1] + forget[1] * pair[1][1]
    return o * torch.tanh(c), c


CELLS = {
    "recursive": (recursive, 1),
    "rntn": (rntn, 1),
    "comparison": (compared, 2),
    "tensor-comparison": (compared, 2),
    "tree-comparison": (compared_trees, 2),
    "tensor-tree-comparison": (compared_trees, 2),
    "tree-lstm": (lambda p, x, pair, there: gated(p, x, pair, ("f", "f"), "l", "r"), 2),
    "grid-lstm": (lambda p, x, pair, there: gated(p, x, pair, ("fu", "fl"), "u", "l"), 2),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_loss_and_gradient_equal_those_of_autograd_node_by_node(cell, seed):
    rng = np.random.default_rng([seed, *cell.encode()])
    equations, states = CELLS[cell]
    inputs, outputs, width, other = (int(n) for n in rng.integers(1, 6, 4))
    options = {"D": other} if "comparison" in cell else {}
    network = Network(inputs, outputs, cell=cell, hidden=width, dtype="float64", cell_options=options)
    genome = network.init(rng=rng) + 0.2 * rng.standard_normal(network.size)
    sequences, steps = int(rng.integers(1, 20)), int(rng.integers(1, 15))
    lengths = rng.integers(1, steps + 1, sequences)
    links = draw_links(rng, lengths, steps, 2)
    x, targets = (
        rng.standard_normal((sequences, steps, inputs)),
        rng.standard_normal((sequences, steps, outputs)),
    )
    value, gradient = network.loss_and_gradient(genome, Batch(x, targets, lengths=lengths, links=links))
    blocks = {n: torch.tensor(b.copy(), requires_grad=True) for n, b in network.unpack(genome).items()}
    p = {name.removeprefix("layer0."): block for name, block in blocks.items()}
    widths = [width, other if options else width][:states]
    zero, errors = [torch.zeros(units, dtype=torch.float64) for units in widths], []
    for row in range(sequences):
        done = []
        for step in range(lengths[row]):
            to = links[row, step]
            pair = [done[k] if k >= 0 else zero for k in to]
            done.append(equations(p, torch.tensor(x[row, step]), pair, to >= 0))
            y = blocks["readout.W"] @ done[-1][0] + blocks["readout.b"]
            errors.append(((y - torch.tensor(targets[row, step])) ** 2).mean())
    loss = torch.stack(errors).mean()
    found = torch.autograd.grad(loss, list(blocks.values()), allow_unused=True)
    wanted = {n: np.zeros(b.shape) if g is None else g.numpy() for (n, b), g in zip(blocks.items(), found)}
    assert value == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, network.pack(wanted), atol=1e-12)
