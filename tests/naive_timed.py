"""Equations of cells with filters, clocks and time constants for `naive`: on NumPy arrays or on PyTorch tensors.

Sequences are the last axis of every array.
"""

import numpy as np
from naive_classical import ACTIVATIONS, sigmoid, sums, tanh


def einsum(form, *arrays):
    if all(isinstance(a, np.ndarray) for a in arrays):
        return np.einsum(form, *arrays)
    import torch

    return torch.einsum(form, *(torch.as_tensor(a) for a in arrays))


def pushed(stack, top):
    """Return a shift register (K, ..., B) with a new first entry."""
    if isinstance(stack, np.ndarray):
        return np.concatenate([top[None], stack[:-1]])
    import torch

    return torch.cat([top[None], stack[:-1]])


def lstm_projection(w, x, s, y, o):
    i, f, g, out = sums(w, x, s["h"], "ifgo")
    c = sigmoid(f) * s["c"] + sigmoid(i) * tanh(g)
    return {"h": w["W_p"] @ (sigmoid(out) * tanh(c)), "c": c}


def fir(w, x, s, y, o):
    past = pushed(s["past"], x)
    total = sum(w["W"][:, k] @ past[k] for k in range(o["taps"]))
    return {"h": ACTIVATIONS[o["activation"]](total + w["b"]), "past": past}


def iir(w, x, s, y, o):
    past = pushed(s["past"], x)
    filtered = sum(w["W"][:, k, :, None] * past[k] for k in range(o["taps"]))
    filtered = filtered + sum(w["V"][:, k, :, None] * s["filtered"][k] for k in range(o["poles"]))
    h = ACTIVATIONS[o["activation"]](filtered.sum(1) + w["b"])
    return {"h": h, "past": past, "filtered": pushed(s["filtered"], filtered)}


def narx(w, x, s, y, o):
    past, given = pushed(s["past"], x), pushed(s["given"], y)
    total = sum(w["W_x"][:, k] @ past[k] for k in range(o["input_taps"]))
    total = total + sum(w["W_y"][:, k] @ given[k] for k in range(o["output_taps"]))
    return {"h": ACTIVATIONS[o["activation"]](total + w["b"]), "past": past, "given": given}


def clockwork(w, x, s, y, o):
    """Each unit alone: it sees units of its own and of longer periods."""
    f, units, modules = ACTIVATIONS[o["activation"]], len(s["h"]), int(o["modules"])
    kept = np.zeros((units, units))
    period = np.zeros((units, 1))
    for k in range(units):
        period[k] = o["base"] ** int(k * min(modules, units) / units)
    for row in range(units):
        for column in range(units):
            kept[row, column] = period[column, 0] >= period[row, 0]
    new = f(w["W_x"] @ x + (w["W_h"] * like(kept, s["h"])) @ s["h"] + w["b"])
    rest = s["t"] - like(period, s["h"]) * (s["t"] / like(period, s["h"])).round()
    return {"h": chosen(rest == 0, new, s["h"]), "t": s["t"] + 1}


def like(array, other):
    if isinstance(other, np.ndarray):
        return array
    import torch

    return torch.tensor(array)


def chosen(condition, left, right):
    if isinstance(left, np.ndarray):
        return np.where(condition, left, right)
    return left.where(condition, right)


def hierarchical(w, x, s, y, o):
    f, t = ACTIVATIONS[o["activation"]], s["t"]
    low = f(w["W_x"] @ x + w["W_low"] @ s["low"] + w["V_low"] @ s["middle"] + w["b_low"])
    middle = w["U_middle"] @ low + w["W_middle"] @ s["middle"] + w["V_middle"] @ s["high"] + w["b_middle"]
    middle = chosen(t % o["period"] == 0, f(middle), s["middle"])
    high = f(w["U_high"] @ middle + w["W_high"] @ s["high"] + w["b_high"])
    return {
        "low": low,
        "middle": middle,
        "high": chosen(t % o["period"] ** 2 == 0, high, s["high"]),
        "t": t + 1,
    }


def mtrnn(w, x, s, y, o):
    f = ACTIVATIONS[o["activation"]]
    drive = {
        "u": w["W_ux"] @ x + w["W_uf"] @ f(s["f"]) + w["b_u"],
        "f": w["W_fx"] @ x + w["W_ff"] @ f(s["f"]) + w["W_fs"] @ f(s["s"]) + w["b_f"],
        "s": w["W_sf"] @ f(s["f"]) + w["W_ss"] @ f(s["s"]) + w["b_s"],
    }
    tau = {"u": o["io_tau"], "f": o["fast_tau"], "s": o["slow_tau"]}
    new = {k: s[k] + (drive[k] - s[k]) / tau[k] for k in drive}
    return {"z": f(new["u"]), **new}


def exp(a):
    return np.exp(a) if isinstance(a, np.ndarray) else a.exp()


def ctrnn(w, x, s, y, o):
    f, dt, v = ACTIVATIONS[o["activation"]], o["dt"], s["v"]
    tau = like(np.broadcast_to(np.asarray(o["tau"], float), (len(v),))[:, None].copy(), v)
    tau = tau * exp(o["learned"] * w["log_tau"])

    def slope(u):
        return (w["W"] @ f(u + w["theta"]) + w["W_x"] @ x - u) / tau

    if o["method"] == "euler":
        v = v + dt * slope(v)
    elif o["method"] == "exponential":
        v = v + (1 - exp(-dt / tau)) * tau * slope(v)
    else:
        k1 = slope(v)
        k2 = slope(v + dt * k1 / 2)
        k3 = slope(v + dt * k2 / 2)
        v = v + dt * (k1 + 2 * k2 + 2 * k3 + slope(v + dt * k3)) / 6
    return {"r": f(v + w["theta"]), "v": v}


CELLS = {
    "lstm-projection": lstm_projection,
    "fir": fir,
    "iir": iir,
    "narx": narx,
    "clockwork": clockwork,
    "hierarchical": hierarchical,
    "mtrnn": mtrnn,
    "ctrnn": ctrnn,
}
STATES = {
    "lstm-projection": {"h": "P", "c": "H"},
    "fir": {"h": "H", "past": "taps I"},
    "iir": {"h": "H", "past": "taps I", "filtered": "poles H I"},
    "narx": {"h": "H", "past": "input_taps I", "given": "output_taps O"},
    "clockwork": {"h": "H", "t": "1"},
    "hierarchical": {"low": "H", "middle": "H", "high": "H", "t": "1"},
    "mtrnn": {"z": "io", "u": "io", "f": "H", "s": "slow"},
    "ctrnn": {"r": "H", "v": "H"},
}
OUTPUTS = {"hierarchical": ("low", "middle", "high")}


def draw_options(rng, cell):
    """Return random options of a cell that differ from its defaults."""
    whole = {
        "lstm-projection": {"P": 6},
        "fir": {"taps": 5},
        "iir": {"taps": 4, "poles": 3},
        "narx": {"input_taps": 4, "output_taps": 4},
        "clockwork": {"modules": 5, "base": 4},
        "hierarchical": {"period": 4},
        "mtrnn": {"io": 5, "slow": 6},
        "ctrnn": {},
    }[cell]
    options = {name: int(rng.integers(1, largest + 1)) for name, largest in whole.items()}
    if cell == "mtrnn":
        options |= {name: float(rng.uniform(1, 9)) for name in ("io_tau", "fast_tau", "slow_tau")}
    if cell == "ctrnn":
        options["method"] = ("euler", "exponential", "rk4")[rng.integers(3)]
        options |= {"dt": float(rng.uniform(0.05, 0.5)), "tau": float(rng.uniform(0.5, 3))}
        options["learned"] = float(rng.integers(2))
    return options
