"""Networks of one layer of any registered cell, drawn at random and run by the cell's own function on NumPy.

The oracle calls the function once for each time step of each sequence, keeps past values in lists, and takes genomes of
complex numbers. It shares no code with the compiler, the listings and the kernels.
"""

import inspect
from types import SimpleNamespace

import numpy as np

from evorrn import Network
from evorrn.base.errors import ConfigError
from evorrn.cells.find import cells


def drawn(name, rng):
    """Return a network of float64 whose sizes and shares are drawn, and a genome.

    Sizes that do not go together are drawn again.
    """
    for _ in range(100):
        try:
            network = drawn_once(cells()[name], rng)
        except ConfigError:
            continue
        return network, network.init(rng=rng) + 0.3 * rng.standard_normal(network.size)
    raise AssertionError(f"{name}: no drawn sizes go together")


def drawn_once(cell, rng):
    options = {letter: int(rng.integers(1, 6)) for letter in cell.sizes}
    for option, value in cell.options.items():
        low, high = cell.ranges.get(option, (-np.inf, np.inf))
        if (low, high) == (0, 1) and value % 1:  # a share, and no switch
            options[option] = float(rng.random())
    return Network(
        int(rng.integers(1, 5)),
        int(rng.integers(1, 4)),
        cell=cell.name,
        hidden=int(rng.integers(1, 8)),
        cell_options=options,
        dtype="float64",
    )


def links(rng, count, sequences, steps):
    """Return random earlier steps (B, T, A) for each step, some of them absent; None for a chain."""
    if not count:
        return None
    found = rng.integers(0, 2**31, (sequences, steps, count)) % (np.arange(steps)[None, :, None] + 1) - 1
    return np.where(rng.random(found.shape) < 0.3, -1, found)


def outputs(network, genome, x, lengths, linked=None):
    """Return the outputs (B, T, O); those beyond the length of a sequence are 0."""
    cell, options = network.cell, network.cell.check_options(network.cell_options)
    sizes = {"I": network.inputs, "H": network.hidden[0], "O": network.outputs, **options.sizes}
    blocks = {
        name: real + (1j * imaginary if np.iscomplexobj(genome) else 0)
        for (name, real), imaginary in zip(
            network.unpack(genome.real).items(), network.unpack(genome.imag).values(), strict=True
        )
    }
    p = SimpleNamespace(**{name: blocks[f"layer0.{name}"] for name in cell.parameters})
    vars(p).update(cell.fixed_arrays(sizes, options))
    chosen = {**options.numbers, **functions(cell, options)}
    found = np.zeros((*x.shape[:2], network.outputs), genome.dtype)
    for b, length in enumerate(lengths):
        run(cell, p, chosen, sizes, blocks, x[b, :length], None if linked is None else linked[b], found[b])
    return found


def slopes(network, genome, along, *batch):
    """Return the derivative of the outputs along a direction of the genome, and its relative error."""
    try:
        return outputs(network, genome + 1e-30j * along, *batch).imag / 1e-30, 1e-11
    except TypeError:  # logaddexp takes no complex numbers
        ahead, behind = (outputs(network, genome + step * along, *batch) for step in (1e-6, -1e-6))
        return (ahead - behind) / 2e-6, 1e-7


def functions(cell, options):
    """Return the functions that a cell's options name."""
    defaults = inspect.signature(cell.function).parameters
    found = {}
    for option, name in options.functions.items():
        default = defaults[option].default
        assert default.__name__ == name, f"{option}: only defaults are drawn"
        found[option] = default
    return found


def run(cell, p, options, sizes, blocks, x, linked, into):
    """Write the outputs of one sequence (T, I)."""
    arguments = [
        name
        for name, argument in inspect.signature(cell.function).parameters.items()
        if argument.kind is not inspect.Parameter.KEYWORD_ONLY
    ][1:]
    shape = {
        name: [sizes.get(letter) or int(letter) for letter in letters]
        for name, letters in {"x": ("I",), "y": ("O",), **cell.state, **cell.noise}.items()
    }
    first = {name: np.full(shape[name], cell.start.get(name, 0.0)) for name in cell.state}
    past = {name: [np.zeros(shape[name])] for name in ("x", "y")} | {name: [first[name]] for name in first}
    none = SimpleNamespace(**{name: np.zeros(shape[name]) for name in cell.state}, there=np.zeros(1))
    done = []
    for t in range(len(x)):
        given = {name: np.zeros(shape[name]) for name in cell.noise}
        given |= {name: past[name][-1] for name in ("y", *cell.state)} | {"x": x[t]}
        for name, steps in cell.delays.items():
            for k in range(1, steps + 1):
                values = past[name]
                given[f"{name}_{k}"] = values[-k] if k <= len(values) else np.zeros(shape[name])
        for place, name in enumerate(cell.predecessors):
            given[name] = none if linked[t, place] < 0 else done[linked[t, place]]
        new = cell.function(p, *(given[name] for name in arguments), **options)
        states = dict(zip(cell.state, new if isinstance(new, tuple) else (new,), strict=True))
        done.append(SimpleNamespace(**states, there=np.ones(1)))
        seen = np.concatenate([np.ravel(states[name]) for name in cell.output])
        into[t] = blocks["readout.W"] @ seen + blocks["readout.b"]
        for name, value in {**states, "x": x[t], "y": into[t]}.items():
            past[name].append(value)
