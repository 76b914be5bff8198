"""Networks with external memories that are drawn or set by hand, and their states after each step."""

import numpy as np

from evorrn import Network
from evorrn.cells.find import cells


def drawn(cell, seed, sequences, steps, **sizes):
    """Return a network of float64 of drawn sizes, a genome, and a ragged batch of inputs."""
    rng = np.random.default_rng([seed, *cell.encode()])
    options = {name: int(rng.integers(1, 6)) for name in cells()[cell].sizes} | sizes
    inputs, outputs, hidden = (int(n) for n in rng.integers(1, (5, 4, 7)))
    network = Network(inputs, outputs, cell=cell, hidden=hidden, dtype="float64", cell_options=options)
    genome = network.init(rng=rng) + 0.5 * rng.standard_normal(network.size)
    x = rng.standard_normal((sequences, steps, inputs))
    lengths = rng.integers(1, steps + 1, sequences)
    return network, genome, x, lengths


def set_by_hand(cell, inputs, hidden, options, outputs=1, dtype="float64", **blocks):
    """Return a network and a genome that is 0 but for some blocks of its layer."""
    network = Network(inputs, outputs, cell=cell, hidden=hidden, dtype=dtype, cell_options=options)
    genome = np.zeros(network.size)
    for name, block in network.unpack(genome).items():
        block[...] = blocks.get(name.removeprefix("layer0."), 0.0)
    return network, genome


def states_after_each_step(network, genome, x):
    """Return the states by name after each step of one sequence (T, I)."""
    many = np.broadcast_to(x, (len(x), *x.shape))
    _, last = network.predict(genome, many, lengths=np.arange(1, len(x) + 1), return_state=True)
    sizes = {"I": network.inputs, "H": network.hidden[0], **network.cell_options}
    found, start = {}, 0
    for name, shape in network.cell.state.items():
        size = [sizes.get(d) or int(d) for d in shape]
        found[name] = last[:, start : start + np.prod(size)].reshape(-1, *size)
        start += np.prod(size)
    return found
