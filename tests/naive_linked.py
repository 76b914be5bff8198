"""Networks with linked steps in plain NumPy, one node after the other."""

from types import SimpleNamespace

import numpy as np


def draw_links(rng, lengths, steps, arity):
    """Return random links (B, T, A), about a third absent; steps may share a predecessor, and some have none."""
    links = rng.integers(0, 2**31, (len(lengths), steps, arity)) % np.arange(1, steps + 1)[:, None] - 1
    links[rng.random(links.shape) < 0.3] = -1
    links[np.arange(steps) >= np.asarray(lengths)[:, None]] = 99  # has no effect
    return links


def tree_links(rng, leaves):
    """Return the links (2 leaves - 1, 2) of a random binary tree, children before parents."""
    links = []

    def grow(count):
        if count == 1:
            links.append((-1, -1))
        else:
            left = int(rng.integers(1, count))
            links.append((grow(left), grow(count - left)))
        return len(links) - 1

    grow(leaves)
    return np.array(links)


def outputs(network, genome, x, lengths, links):
    """Return the outputs (B, T, O) in float64, and those of the cell (B, T, H), zero beyond the lengths."""
    cell, blocks = network.cell, network.unpack(np.asarray(genome, np.float64))
    layers = []
    for layer in range(len(network.hidden)):
        prefix = f"layer{layer}."
        found = {n.removeprefix(prefix): b for n, b in blocks.items() if n.startswith(prefix)}
        layers.append(
            {**{n: np.zeros(network.hidden[layer]) for n in cell.parameters if n not in found}, **found}
        )
    options = {n: v for n, v in network.cell_options.items() if isinstance(v, float)}
    y = np.zeros((*x.shape[:2], network.outputs))
    seen = np.zeros((*x.shape[:2], network.hidden[-1]))
    for b in range(len(x)):
        done = [[] for _ in layers]
        for t in range(lengths[b]):
            signal = np.asarray(x[b, t], np.float64)
            for layer, width in enumerate(network.hidden):
                absent = {name: np.zeros(width) for name in cell.state}
                before = [
                    SimpleNamespace(**(done[layer][k] if k >= 0 else absent), there=np.array([float(k >= 0)]))
                    for k in links[b, t]
                ]
                new = cell(SimpleNamespace(**layers[layer]), signal, *before, **options)
                done[layer].append(dict(zip(cell.state, new if isinstance(new, tuple) else (new,))))
                signal = done[layer][-1][cell.output[0]]
            y[b, t] = blocks["readout.W"] @ signal
            if network.direct:
                y[b, t] += blocks["readout.W_x"] @ x[b, t]
            if network.biases:
                y[b, t] += blocks["readout.b"]
            seen[b, t] = signal
    return y, seen
