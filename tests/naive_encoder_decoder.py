"""Encoder-decoders in plain NumPy: one sequence, one time step after the other, from the cells of `naive`."""

import collections
import itertools

import naive
import numpy as np


def under(blocks, prefix):
    return {name.removeprefix(prefix): block for name, block in blocks.items() if name.startswith(prefix)}


def run_layer(weights, cell, units, options, x, state=None):
    """Return the outputs (T, H) of one layer on one sequence (T, I), and its last state."""
    columns = collections.defaultdict(
        float, {name: w[:, None] if w.ndim == 1 else w for name, w in weights.items()}
    )
    if state is None:
        (shapes,) = naive.state_shapes(cell, [units], x.shape[1], 1, options)
        state = {name: np.zeros((*shape, 1)) for name, shape in shapes.items()}
    found = []
    for values in x:
        state = naive.CELLS[cell](columns, values[:, None], state, np.zeros((1, 1)), options)
        found.append(naive.seen(cell, state)[:, 0])
    return np.array(found), state


def encoded(network, blocks, x):
    """Return the last states of each layer of the encoder on one sequence, symbols (T,) or vectors (T, I)."""
    signal = vectors(blocks.get("encoder.embedding.W"), x, network.inputs)
    states = []
    for layer, cell in enumerate(network.encoder.cells):
        about = cell.name, network.encoder.hidden[layer], network.encoder.options_of(layer)
        if network.encoder.bidirectional:
            way = f"encoder.layer{layer}."
            there, first = run_layer(under(blocks, f"{way}forward."), *about, signal)
            back, second = run_layer(under(blocks, f"{way}backward."), *about, signal[::-1])
            signal = np.concatenate([there, back[::-1]], axis=1)
            states.append({name: np.concatenate([first[name], second[name]]) for name in first})
        else:
            signal, last = run_layer(under(blocks, f"encoder.layer{layer}."), *about, signal)
            states.append(last)
    return states


def vectors(table, symbols, count):
    """Return vectors of symbols (T,), or vectors (T, I) times a table if there is one."""
    one_hot = np.eye(count)[symbols] if symbols.ndim == 1 else symbols
    return one_hot if table is None else one_hot @ table


def logits(network, blocks, states, symbols):
    """Return the logits (V, O) of the decoder that sees symbols (V,) and begins in the states of the encoder."""
    signal, seen = vectors(blocks.get("decoder.embedding.W"), np.asarray(symbols), network.outputs), []
    for layer, cell in enumerate(network.decoder.cells):
        own = states[len(states) - len(network.decoder.cells) + layer]
        units, given = network.decoder.hidden[layer], network.decoder.options_of(layer)
        (shapes,) = naive.state_shapes(cell.name, [units], signal.shape[1], 1, given)
        begin = {name: own[name] for name in shapes}
        weights = under(blocks, f"decoder.layer{layer}.")
        signal, _ = run_layer(weights, cell.name, units, given, signal, begin)
        seen.append(signal)
    signal = np.concatenate(seen, axis=1) if network.decoder.reads == "all" else signal
    return signal @ blocks["decoder.readout.W"].T + blocks.get("decoder.readout.b", 0.0)


def log_probabilities(values):
    shifted = values - values.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def losses(network, genome, inputs, rows, seen=None):
    """Return the sum of the loss over the symbols of each sequence; `seen` are other symbols for the decoder to see."""
    blocks, found = network.unpack(genome), []
    for place, (x, row) in enumerate(zip(inputs, rows)):
        before = row if seen is None else seen[place][: len(row)]
        values = logits(network, blocks, encoded(network, blocks, x), [network.start, *before])
        logs = log_probabilities(values)
        found.append(-logs[np.arange(len(row) + 1), [*row, network.stop]].sum())
    return np.array(found)


def greedy(network, genome, x, steps):
    """Return the symbols that the decoder chooses, one after the other."""
    blocks = network.unpack(genome)
    states, chosen = encoded(network, blocks, x), []
    while len(chosen) < steps:
        last = logits(network, blocks, states, [network.start, *chosen])[-1]
        last[network.start] = -np.inf
        if last.argmax() == network.stop:
            break
        chosen.append(int(last.argmax()))
    return chosen


def best(network, genome, x, steps):
    """Return the most probable of all rows of up to `steps` symbols."""
    blocks = network.unpack(genome)
    states = encoded(network, blocks, x)
    free = [symbol for symbol in range(network.outputs) if symbol not in (network.start, network.stop)]
    found = {}
    for count in range(steps + 1):
        for row in itertools.product(free, repeat=count):
            logs = log_probabilities(logits(network, blocks, states, [network.start, *row]))
            found[row] = logs[np.arange(count + 1), [*row, network.stop]].sum()
    return list(max(found, key=found.get))
