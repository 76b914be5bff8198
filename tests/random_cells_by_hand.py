"""What a network of a random cell computes, from the cell's function on NumPy; it shares no code with the compiler."""

from types import SimpleNamespace

import numpy as np

from evorrn.compile.ops import ACTIVATIONS


def by_hand(network, genome, x, lengths=None, state=None):
    """Return outputs (B, T, O) and last states (B, S) of a network of one kind of cell, computed on NumPy step by step."""
    made, blocks = network.cell, network.unpack(genome)
    options = network.cell_options
    keywords = {name: options[name] for name in ("leak", "gain")} | {"squash": ACTIVATIONS[options["squash"]]}
    own = {name: options[name] for name in ("N", "M")}
    widths, layers = [], []
    incoming = network.inputs + network.outputs * network.feedback
    for layer, units in enumerate(network.hidden):
        sizes = {"I": incoming, "H": units, "O": network.outputs, **own}
        shapes = {name: tuple(sizes.get(d) or int(d) for d in shape) for name, shape in made.states.items()}
        p = SimpleNamespace(
            **{
                name: blocks.get(f"layer{layer}.{name}", np.zeros([sizes.get(d) or int(d) for d in shape]))
                for name, shape in made.parameters.items()
            },
            **{
                name.split(".")[1]: array
                for name, array in network.fixed_arrays.items()
                if name.startswith(f"layer{layer}.")
            },
        )
        layers.append((p, shapes))
        incoming = sum(int(np.prod(shapes[name])) for name in made.output)
        widths.append(incoming)
    outputs = np.zeros((*x.shape[:2], network.outputs))
    last = np.zeros((len(x), network.state_size))
    for b in range(len(x)):
        given = (network.first_state if state is None else state[b]).astype(float)
        values, place = [], 0
        for _, shapes in layers:
            mine = {}
            for name, shape in shapes.items():
                mine[name] = given[place : place + int(np.prod(shape))].reshape(shape)
                place += int(np.prod(shape))
            values.append(mine)
        y = given[place:] if place < len(given) else np.zeros(network.outputs)
        for t in range(x.shape[1] if lengths is None else lengths[b]):
            signal = np.concatenate([x[b, t], y]) if network.feedback else x[b, t]
            signals = []
            for (p, shapes), mine in zip(layers, values):
                arguments = made.function.__code__.co_varnames[: made.function.__code__.co_argcount]
                seen = {**mine, "p": p, "x": signal, "y": y, "y_1": y}
                new = made(*(seen[name] for name in arguments), **keywords)
                new = dict(zip(made.state, new if isinstance(new, tuple) else (new,)))
                for name, steps in made.delays.items():
                    for k in range(steps, 1 if name != "x" else 0, -1):
                        before = (
                            {1: signal, 2: y if name == "y" else mine.get(name)}.get(k)
                            if name != "x"
                            else (signal if k == 1 else mine[f"x_{k - 1}"])
                        )
                        if name != "x" and k > 2:
                            before = mine[f"{name}_{k - 1}"]
                        new[f"{name}_{k}"] = before
                mine.update({name: np.broadcast_to(value, shapes[name]) for name, value in new.items()})
                signal = np.concatenate([np.ravel(mine[name]) for name in made.output])
                signals.append(signal)
            seen = np.concatenate(signals) if network.reads == "all" else signal
            y = blocks["readout.W"] @ seen + blocks.get("readout.b", 0)
            if network.direct:
                y = y + blocks["readout.W_x"] @ x[b, t]
            outputs[b, t] = y
        parts = [np.ravel(mine[name]) for mine in values for name in made.states]
        last[b] = np.concatenate([*parts, y] if place < len(given) else parts)
    return outputs, last
