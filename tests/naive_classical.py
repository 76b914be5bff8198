"""Equations of the classical variants of cells for `naive`: on NumPy arrays, or on PyTorch tensors for its gradients."""

import numpy as np


def tanh(a):
    return np.tanh(a) if isinstance(a, np.ndarray | float) else a.tanh()


def sigmoid(a):
    return (1 + tanh(a / 2)) / 2


def softplus(a):
    return np.logaddexp(0, a) if isinstance(a, np.ndarray) else a.softplus()


ACTIVATIONS = {"tanh": tanh, "sigmoid": sigmoid, "softplus": softplus}


def sums(w, x, h, names):
    """Return the sums of some gates, of which any part may be missing."""
    return [w[f"W_{k}"] @ x + w[f"U_{k}"] @ h + w[f"b_{k}"] for k in names]


def fully_recurrent(w, x, s, y, o):
    return {"h": ACTIVATIONS[o["activation"]](w["W_x"] @ x + w["W_h"] @ s["h"] + w["b"])}


def lstm_1997(w, x, s, y, o):
    i, g, out = sums(w, x, s["h"], "igo")
    c = s["c"] + sigmoid(i) * 2 * tanh(g / 2)
    return {"h": sigmoid(out) * tanh(c / 2), "c": c}


def lstm_peephole(w, x, s, y, o):
    i, f, g, out = sums(w, x, s["h"], "ifgo")
    c = sigmoid(f + w["p_f"] * s["c"]) * s["c"] + sigmoid(i + w["p_i"] * s["c"]) * tanh(g)
    return {"h": sigmoid(out + w["p_o"] * c) * tanh(c), "c": c}


def lstm_counting(w, x, s, y, o):
    i, f, g, out = sums(w, x, s["h"], "ifgo")
    c = sigmoid(f + w["p_f"] * s["c"]) * s["c"] + sigmoid(i + w["p_i"] * s["c"]) * g
    return {"h": sigmoid(out + w["p_o"] * c) * c, "c": c}


def lstm_coupled(w, x, s, y, o):
    f, g, out = sums(w, x, s["h"], "fgo")
    c = tanh(g) + sigmoid(f) * (s["c"] - tanh(g))
    return {"h": sigmoid(out) * tanh(c), "c": c}


def lstm_output_feedback(w, x, s, y, o):
    i, f, g, out = sums(w, x, s["h"], "ifgo")
    c = sigmoid(f) * s["c"] + sigmoid(i) * tanh(g)
    return {"h": sigmoid(out) * tanh(c), "c": c, "last": y}


def mgu(w, x, s, y, o):
    f = sigmoid(sums(w, x, s["h"], "f")[0])
    n = tanh(sums(w, x, f * s["h"], "n")[0])
    return {"h": s["h"] + f * (n - s["h"])}


def gru_with(gates, w, x, s):
    r, z = gates
    n = tanh(sums(w, x, sigmoid(r) * s["h"], "n")[0])
    return {"h": s["h"] + sigmoid(z) * (n - s["h"])}


def gru_1(w, x, s, y, o):
    return gru_with([w[f"U_{k}"] @ s["h"] + w[f"b_{k}"] for k in "rz"], w, x, s)


def gru_2(w, x, s, y, o):
    return gru_with([w[f"U_{k}"] @ s["h"] for k in "rz"], w, x, s)


def gru_3(w, x, s, y, o):
    return gru_with([w["b_r"], w["b_z"]], w, x, s)


def rmlp(w, x, s, y, o):
    f = ACTIVATIONS[o["activation"]]
    return {"o": f(w["B"] @ f(w["A"] @ x + w["a"]) + w["R"] @ s["o"] + w["b"])}


CELLS = {
    "fully-recurrent": fully_recurrent,
    "lstm-1997": lstm_1997,
    "lstm-peephole": lstm_peephole,
    "lstm-counting": lstm_counting,
    "lstm-coupled": lstm_coupled,
    "lstm-output-feedback": lstm_output_feedback,
    "mgu": mgu,
    "gru-1": gru_1,
    "gru-2": gru_2,
    "gru-3": gru_3,
    "rmlp": rmlp,
}
STATES = {
    "lstm-1997": {"h": "H", "c": "H"},
    "lstm-peephole": {"h": "H", "c": "H"},
    "lstm-counting": {"h": "H", "c": "H"},
    "lstm-coupled": {"h": "H", "c": "H"},
    "lstm-output-feedback": {"h": "H", "c": "H", "last": "O"},
    "rmlp": {"o": "H"},
}
OUTPUTS = {"lstm-output-feedback": ("h", "last")}
"""The states that are the output of a cell, where it is not the first state alone."""
