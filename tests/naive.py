"""An oracle in plain loops: every cell's equations once more, one sequence and one step at a time.

Nothing here comes from the compiler or the kernels.
"""

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
    "jordan": jordan,
    "leaky": leaky,
    "lstm": lstm,
    "gru": gru,
    "gru-reset-before": gru_reset_before,
    "indrnn": indrnn,
    "diagonal-jordan": diagonal_jordan,
}
STATES = {"lstm": {"h": "H", "c": "H"}, "jordan": {"h": "H", "c": "O"}}


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
):
    """Return outputs (B, T, O) and last-layer states (B, T, H), zero and held beyond the lengths."""
    sequences, steps, _ = x.shape
    ys = np.zeros((sequences, steps, outputs))
    hs = np.zeros((sequences, steps, hidden[-1]))
    for b in range(sequences):
        state = []
        for size in hidden:
            dims = STATES.get(cell, {"h": "H"})
            state.append({k: np.zeros(size if d == "H" else outputs) for k, d in dims.items()})
        y = np.zeros(outputs)
        for t in range(int(lengths[b])):
            last = y if teacher is None else teacher[b, t]
            u = np.array(x[b, t], dtype=float)
            if free_from is not None and t >= free_from[b]:
                u[:outputs] = y
            signal = np.concatenate([u, last]) if feedback else u
            for layer in range(len(hidden)):
                prefix = f"layer{layer}."
                w = {k[len(prefix) :]: v for k, v in blocks.items() if k.startswith(prefix)}
                state[layer] = CELLS[cell](w, signal, state[layer], last, options)
                signal = state[layer]["h"]
            y = blocks["readout.W"] @ signal + blocks["readout.b"]
            if direct:
                y = y + blocks["readout.W_x"] @ u
            ys[b, t], hs[b, t] = y, signal
    return ys, hs


def losses(ys, targets, scored, kind):
    """Return the summed loss of each sequence and its number of averaged entries."""
    total = np.zeros(len(ys))
    count = np.zeros(len(ys))
    for b in range(len(ys)):
        for t in range(ys.shape[1]):
            if not scored[b, t]:
                continue
            y = ys[b, t]
            if kind == "mse":
                total[b] += ((y - targets[b, t]) ** 2).sum()
                count[b] += len(y)
            elif kind == "cross-entropy":
                total[b] += np.log(np.exp(y - y.max()).sum()) + y.max() - y[targets[b, t]]
                count[b] += 1
            else:
                total[b] += (softplus(y) - targets[b, t] * y).sum()
                count[b] += len(y)
    return total, count
