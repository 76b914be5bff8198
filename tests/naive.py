"""An oracle in plain NumPy: every cell's equations once more, one time step after the other.

Nothing here comes from the compiler or the kernels.
"""

import collections

import naive_classical
import naive_timed
import numpy as np


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def softplus(a):
    return np.log1p(np.exp(-abs(a))) + np.maximum(a, 0.0)


ACTIVATIONS = {
    "identity": lambda a: a,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda a: np.maximum(a, 0.0),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "elu": lambda a: np.where(a > 0, a, np.exp(np.minimum(a, 0)) - 1.0),
    "selu": lambda a: (
        1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * (np.exp(np.minimum(a, 0)) - 1.0))
    ),
    "swish": lambda a: a * sigmoid(a),
    "softplus": softplus,
}


def elman(w, x, s, y, o):
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["W_h"] @ s["h"] + w["b"])}


def feed_forward(w, x, s, y, o):
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["b"])}


def jordan(w, x, s, y, o):
    c = o["decay"] * s["c"] + y
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["W_y"] @ c + w["b"]), "c": c}


def leaky(w, x, s, y, o):
    a = ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["W_h"] @ s["h"] + w["b"])
    return {"h": (1 - o["leak"]) * s["h"] + o["leak"] * a}


def lstm(w, x, s, y, o):
    gate = {k: w[f"W_{k}"] @ x + w[f"U_{k}"] @ s["h"] + w[f"b_{k}"] for k in "ifgo"}
    c = sigmoid(gate["f"]) * s["c"] + sigmoid(gate["i"]) * np.tanh(gate["g"])
    return {"h": sigmoid(gate["o"]) * np.tanh(c), "c": c}


def gru(w, x, s, y, o):
    r = sigmoid(w["W_r"] @ x + w["U_r"] @ s["h"] + w["b_r"])
    z = sigmoid(w["W_z"] @ x + w["U_z"] @ s["h"] + w["b_z"])
    n = np.tanh(w["W_n"] @ x + w["b_n"] + r * (w["U_n"] @ s["h"] + w["c_n"]))
    return {"h": (1 - z) * n + z * s["h"]}


def gru_reset_before(w, x, s, y, o):
    r = sigmoid(w["W_r"] @ x + w["U_r"] @ s["h"] + w["b_r"])
    z = sigmoid(w["W_z"] @ x + w["U_z"] @ s["h"] + w["b_z"])
    n = np.tanh(w["W_n"] @ x + w["b_n"] + w["U_n"] @ (r * s["h"]))
    return {"h": (1 - z) * n + z * s["h"]}


def indrnn(w, x, s, y, o):
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["u"] * s["h"] + w["b"])}


def diagonal_jordan(w, x, s, y, o):
    fed = np.maximum(np.tanh(y), 0)
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["W_y"] @ fed + w["u"] * s["h"] + w["b"])}


CELLS = {
    "elman": elman,
    "feed-forward": feed_forward,
    "jordan": jordan,
    "leaky": leaky,
    "lstm": lstm,
    "gru": gru,
    "gru-reset-before": gru_reset_before,
    "indrnn": indrnn,
    "diagonal-jordan": diagonal_jordan,
    **naive_classical.CELLS,
    **naive_timed.CELLS,
}
STATES = {
    "lstm": {"h": "H", "c": "H"},
    "jordan": {"h": "H", "c": "O"},
    **naive_classical.STATES,
    **naive_timed.STATES,
}
ACTIVATED = (
    "elman",
    "jordan",
    "indrnn",
    "diagonal-jordan",
    "fully-recurrent",
    "rmlp",
    *naive_timed.CELLS.keys() - {"lstm-projection"},
)
"""Cells with the option `activation`."""


def run(
    blocks,
    cell,
    hidden,
    options,
    x,
    lengths,
    *,
    direct=False,
    feedback=False,
    teacher=None,
    free_from=None,
    outputs=1,
    reads="last",
    fed=lambda y: y,
    begin=None,
    ends=None,
):
    """Return outputs (B, T, O) and last-layer states (B, T, H), zero beyond the lengths; `fed` is what goes back.

    Sequences are the columns of every matrix, so that the equations stand as they are. `begin` holds the states
    (B, S) before the first step, and `ends` (B, S) is filled with those after the last: of each layer, and what goes
    back. Biases that are not among the blocks are zero.
    """
    sequences, steps, _ = x.shape
    lengths = np.asarray(lengths)
    columns = {name: block[:, None] if block.ndim == 1 else block for name, block in blocks.items()}
    layers = []
    for layer in range(len(hidden)):
        prefix = f"layer{layer}."
        own = {k[len(prefix) :]: v for k, v in columns.items() if k.startswith(prefix)}
        layers.append(collections.defaultdict(float, own))
    shapes = state_shapes(cell, hidden, x.shape[2] + outputs * feedback, outputs, options)
    state = [{name: np.zeros((*shape, sequences)) for name, shape in each.items()} for each in shapes]
    y = np.zeros((outputs, sequences))
    if begin is not None:
        first = 0
        for values in state:
            for name, value in values.items():
                size = value[..., 0].size
                values[name] = begin[:, first : first + size].T.reshape(value.shape)
                first += size
        y = begin[:, first:].T if begin.shape[1] > first else y
    ys = np.zeros((sequences, steps, outputs))
    hs = np.zeros((sequences, steps, len(seen(cell, state[-1]))))
    for t in range(int(lengths.max())):
        moving = t < lengths
        last = y
        if teacher is not None:
            last = np.where(moving & ~np.isnan(teacher[:, t].T), teacher[:, t].T, y)
        u = np.where(moving, x[:, t].T, 0.0)
        if free_from is not None:
            u[:outputs] = np.where(t >= np.asarray(free_from), y, u[:outputs])
        signal = np.concatenate([u, last]) if feedback else u
        for layer, weights in enumerate(layers):
            new = CELLS[cell](weights, signal, state[layer], last, options)
            state[layer] = {k: np.where(moving, new[k], state[layer][k]) for k in new}
            signal = seen(cell, state[layer])
        read = signal if reads == "last" else np.concatenate([seen(cell, values) for values in state])
        output = columns["readout.W"] @ read + columns.get("readout.b", 0.0)
        if direct:
            output = output + columns["readout.W_x"] @ u
        y = np.where(moving, fed(output), y)
        ys[moving, t], hs[moving, t] = output.T[moving], signal.T[moving]
    if ends is not None:
        parts = [value.reshape(-1, sequences) for values in state for value in values.values()]
        every = np.concatenate([*parts, y])
        ends[...] = every[: ends.shape[1]].T
    return ys, hs


def state_shapes(cell, hidden, inputs, outputs, options):
    """Return the shape of each state of each layer."""
    found, width = [], inputs
    for size in hidden:
        letters = {"I": width, "H": size, "O": outputs, "1": 1, **options}
        dims = STATES.get(cell, {"h": "H"})
        found.append({name: tuple(letters[d] for d in shape.split()) for name, shape in dims.items()})
        width = len(seen(cell, {name: np.zeros(shape) for name, shape in found[-1].items()}))
    return found


def output_names(cell):
    """Return the states that are the output of a cell."""
    several = {**naive_classical.OUTPUTS, **naive_timed.OUTPUTS}
    return several.get(cell, [next(iter(STATES.get(cell, {"h": "H"})))])


def seen(cell, values):
    """Return the output of a layer."""
    return np.concatenate([values[name] for name in output_names(cell)])


def softmax(y):
    e = np.exp(y - y.max(axis=0))
    return e / e.sum(axis=0)


FED = {
    ("binary-cross-entropy", "probability"): sigmoid,
    ("binary-cross-entropy", "bit"): lambda y: (y > 0) * 1.0,
    ("cross-entropy", "probability"): softmax,
    ("cross-entropy", "bit"): lambda y: (np.arange(len(y))[:, None] == y.argmax(axis=0)) * 1.0,
}


def losses(ys, targets, scored, kind):
    """Return the summed loss of each sequence and its number of averaged entries."""
    steps = scored.sum(axis=1)
    if kind == "mse":
        errors = np.where(scored[:, :, None], ys - targets, 0.0) ** 2
        return errors.sum(axis=(1, 2)), steps * ys.shape[2]
    if kind == "cross-entropy":
        largest = ys.max(axis=2)
        logarithm = np.log(np.exp(ys - largest[:, :, None]).sum(axis=2)) + largest
        right = np.take_along_axis(ys, np.where(scored, targets, 0)[:, :, None], axis=2)[:, :, 0]
        return np.where(scored, logarithm - right, 0.0).sum(axis=1), steps
    truth = np.where(scored[:, :, None], targets, 0.0)
    errors = np.where(scored[:, :, None], softplus(ys) - truth * ys, 0.0)
    return errors.sum(axis=(1, 2)), steps * ys.shape[2]


def warm_up(batch):
    """Return the teacher of the unscored steps before the first scored one: the target of the step before."""
    teacher = np.full(batch.targets.shape, np.nan)
    for b, scored in enumerate(batch.scored):
        for t in range(1, batch.steps):
            if not scored[:t].any():
                teacher[b, t] = np.where(
                    np.isfinite(batch.targets[b, t - 1]), batch.targets[b, t - 1], np.nan
                )
    return teacher


def run_for_loss(network, genome, batch, **kwargs):
    """Return the outputs that a loss is computed from: taught up to the first scored step, then on their own."""
    if "teacher" not in kwargs and batch.targets.ndim == 3:
        kwargs["teacher"] = warm_up(batch)
    return run_network(network, genome, batch, **kwargs)[0]


def run_network(network, genome, batch, **kwargs):
    """Return what `run` gives for a network of the package on the inputs of a batch."""
    return run(
        {name: np.asarray(block, float) for name, block in network.unpack(genome).items()},
        network.cell.name,
        network.hidden,
        network.cell_options,
        batch.inputs,
        batch.lengths,
        direct=network.direct,
        feedback=network.feedback,
        outputs=network.outputs,
        reads=network.reads,
        fed=FED.get((network.loss_name, network.fed_back), lambda y: y),
        **kwargs,
    )
