"""Networks of several passes in plain NumPy: one sequence, one time step after the other, from the cells of `naive`."""

import collections

import naive
import numpy as np


def run_layer(weights, cell, units, options, x):
    """Return the outputs (T, H) of one layer on one sequence (T, I)."""
    columns = collections.defaultdict(
        float, {name: w[:, None] if w.ndim == 1 else w for name, w in weights.items()}
    )
    (shapes,) = naive.state_shapes(cell, [units], x.shape[1], 1, options)
    state = {name: np.zeros((*shape, 1)) for name, shape in shapes.items()}
    found = []
    for values in x:
        state = naive.CELLS[cell](columns, values[:, None], state, np.zeros((1, 1)), options)
        found.append(naive.seen(cell, state)[:, 0])
    return np.array(found)


def under(blocks, prefix):
    return {name.removeprefix(prefix): block for name, block in blocks.items() if name.startswith(prefix)}


def layers(blocks, cells, hidden, options, x, bidirectional):
    """Return the series (T, R) of each layer on one sequence (T, I)."""
    found, signal = [], x
    for number, (cell, units, given) in enumerate(zip(cells, hidden, options)):
        if bidirectional:
            there = run_layer(under(blocks, f"layer{number}.forward."), cell, units, given, signal)
            back = run_layer(under(blocks, f"layer{number}.backward."), cell, units, given, signal[::-1])
            signal = np.concatenate([there, back[::-1]], axis=1)
        else:
            signal = run_layer(under(blocks, f"layer{number}."), cell, units, given, signal)
        found.append(signal)
    return found


def run(network, genome, x, lengths):
    """Return the outputs (B, T, O) of a network and what its readout sees (B, T, R), zero beyond the lengths."""
    blocks = network.unpack(genome)
    names = [cell.name for cell in network.cells]
    options = [network.options_of(layer) for layer in range(len(names))]
    outputs = np.zeros((*x.shape[:2], network.outputs))
    seen = np.zeros((*x.shape[:2], network.readout_width))
    for row, length in enumerate(lengths):
        series = layers(blocks, names, network.hidden, options, x[row, :length], network.bidirectional)
        read = np.concatenate(series, axis=1) if network.reads == "all" else series[-1]
        seen[row, :length] = read
        outputs[row, :length] = read @ blocks["readout.W"].T + blocks.get("readout.b", 0.0)
    return outputs, seen
