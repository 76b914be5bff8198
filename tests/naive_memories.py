"""Equations of the cells with external memories, entry by entry, on NumPy arrays that may be complex.

A cell takes ``(w, x, s, o)``: the blocks of its weights, the input of a step, its states and its sizes, all by name; it
returns the new states. `outputs` runs a network of one such layer over sequences.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def softplus(a):
    return np.log1p(np.exp(a))


def softmax(a):
    e = np.exp(a - np.real(a).max())
    return e / e.sum()


def positive(a):
    return a if np.real(a) > 0 else 0.0


def smaller(a, b):
    return a if np.real(a) < np.real(b) else b


def lstm(w, s, *parts):
    """Return h and c of an LSTM that sees pairs of (the first letter of its weights, a vector) besides its last h."""
    i, f, g, o = (
        sum(w[f"{letter}_{gate}"] @ seen for letter, seen in (*parts, ("U", s["h"]))) + w[f"b_{gate}"]
        for gate in "ifgo"
    )
    c = sigmoid(f) * s["c"] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# --- Stacks ----------------------------------------------------------------------------------------------


def stack(w, x, s, o):
    old, depth = s["stack"], o["D"]
    tops = [old[k] if k < depth else -np.ones(o["K"]) for k in (0, 1)]
    h = sigmoid(w["W_x"] @ x + w["W_h"] @ s["h"] + w["W_top"] @ tops[0] + w["W_next"] @ tops[1] + w["b"])
    new = np.zeros_like(old)
    for k in range(o["K"]):
        push, pop, none = softmax(w["A"][k] @ h + w["a"][k])
        for i in range(depth):
            above = old[i - 1, k] if i else sigmoid(w["V"][k] @ h + w["v"][k])
            below = old[i + 1, k] if i + 1 < depth else -1.0
            new[i, k] = push * above + pop * below + none * old[i, k]
    return {"h": h, "stack": new}


def continuous_stack(strengths, values, pop, push, value, steps):
    """Return the strengths and values of a stack, its oldest entry first, and what is read from it.

    The lists keep every entry; those older than `steps` have no strength any more.
    """
    n = len(strengths)
    new = [positive(strengths[i] - positive(pop - sum(strengths[i + 1 :]))) for i in range(n)] + [push]
    for i in range(len(new) - steps):
        new[i] = 0.0
    values = [*values, value]
    read = sum(smaller(new[i], positive(1 - sum(new[i + 1 :]))) * values[i] for i in range(n + 1))
    return new, values, read


def from_top(s):
    """Return the entries of a state that keeps the top first, the oldest entry first."""
    return list(s["strengths"][::-1]), list(s["values"][::-1])


def to_top(strengths, values, steps):
    newest = slice(None, -steps - 1, -1)
    return {"strengths": np.array(strengths[newest]), "values": np.array(values[newest])}


def pushdown(w, x, s, o):
    h, c = lstm(w, s, ("W", x), ("R", s["r"]))
    pop, push = sigmoid(w["P"][0] @ h + w["u"][0]), sigmoid(w["D"][0] @ h + w["d"][0])
    given = (*from_top(s), pop, push, np.tanh(w["V"] @ h + w["v"]))
    strengths, values, read = continuous_stack(*given, o["T"])
    return {"h": h, "c": c, "r": read, **to_top(strengths, values, o["T"])}


def pushdown_automaton(w, x, s, o):
    def second_order(by_input, by_read, bias):
        return np.array(
            [
                sum(
                    s["h"][j] * (a[j, k] * x[k] + b[j, k] * s["r"][k])
                    for j in range(len(s["h"]))
                    for k in range(len(x))
                )
                + bias[i]
                for i, (a, b) in enumerate(zip(by_input, by_read))
            ]
        )

    action = np.tanh(second_order(w["A_x"], w["A_r"], w["a"])[0])
    given = (*from_top(s), positive(-action), positive(action), x)
    strengths, values, read = continuous_stack(*given, o["T"])
    h = sigmoid(second_order(w["W_x"], w["W_r"], w["b"]))
    return {"h": h, "r": read, **to_top(strengths, values, o["T"])}


# --- Memories with addresses -----------------------------------------------------------------------------


def weights_by_content(memory, key, strength):
    def length(v):
        return np.sqrt(sum(v * v) + 1e-6)

    return softmax(np.array([strength * sum(key * row) / (length(key) * length(row)) for row in memory]))


def turing_heads(w, s, h, memory, kind, count):
    """Return the new weights (N,) of each head of a kind, r or w."""
    found = []
    for k in range(count):
        old = s["read" if kind == "r" else "write"][k]
        if s["begun"][0] == 0:
            old = np.eye(len(memory))[0]
        key = np.tanh(w[f"K_{kind}"][k] @ h + w[f"k_{kind}"][k])
        strength, gate, sharp = (
            w[f"{x.upper()}_{kind}"][k] @ h + w[f"{x}_{kind}"][k] for x in ("b", "g", "c")
        )
        shares = softmax(w[f"S_{kind}"][k] @ h + w[f"s_{kind}"][k])
        content = weights_by_content(memory, key, softplus(strength))
        mixed = sigmoid(gate) * content + (1 - sigmoid(gate)) * old
        n = len(memory)
        moved = np.array([sum(shares[d + 1] * mixed[(i - d) % n] for d in (-1, 0, 1)) for i in range(n)])
        powers = np.exp((1 + softplus(sharp)) * np.log(np.where(moved.real > 1e-30, moved, 1e-30)))
        found.append(powers / powers.sum())
    return found


def turing_machine(w, s, o, h):
    """Return the states after the heads have turned."""
    memory = s["memory"]
    write = turing_heads(w, s, h, memory, "w", o["W"])
    for k, weights in enumerate(write):
        memory = memory * (1 - np.outer(weights, sigmoid(w["E"][k] @ h + w["e"][k])))
    for k, weights in enumerate(write):
        memory = memory + np.outer(weights, np.tanh(w["A"][k] @ h + w["a"][k]))
    read = turing_heads(w, s, h, memory, "r", o["R"])
    return {
        "h": h,
        "r": np.array([memory.T @ weights for weights in read]),
        "memory": memory,
        "write": np.array(write),
        "read": np.array(read),
        "begun": np.ones(1),
    }


def flat_reads(w, s):
    """Return blocks and states whose reads are one vector."""
    flat = {name: b.reshape(len(b), -1) if name.startswith(("R_", "W_r")) else b for name, b in w.items()}
    return flat, {**s, "r": s["r"].ravel()}


def ntm(w, x, s, o):
    flat, seen = flat_reads(w, s)
    h, c = lstm(flat, seen, ("W", x), ("R", seen["r"]))
    return {**turing_machine(w, s, o, h), "c": c}


def ntm_feed_forward(w, x, s, o):
    flat, seen = flat_reads(w, s)
    return turing_machine(w, s, o, np.tanh(flat["W_x"] @ x + flat["W_r"] @ seen["r"] + flat["b"]))


def dnc(w, x, s, o):
    n = o["N"]
    flat, seen = flat_reads(w, s)
    h, c = lstm(flat, seen, ("W", x), ("R", seen["r"]))
    free = sigmoid(w["F"] @ h + w["f"])
    usage = s["usage"] + s["write"] - s["usage"] * s["write"]
    for k in range(o["R"]):
        usage = usage * (1 - free[k] * s["read"][k])
    allocated, before = np.zeros(n, complex), 1.0
    for i in sorted(range(n), key=lambda i: usage[i].real):
        allocated[i], before = (1 - usage[i]) * before, before * usage[i]
    gate, chosen = sigmoid(w["A"] @ h + w["a"]), sigmoid(w["G"] @ h + w["g"])
    key, strength = w["K_w"][0] @ h + w["k_w"][0], 1 + softplus(w["B_w"][0] @ h + w["b_w"][0])
    content = weights_by_content(s["memory"], key, strength)
    write = chosen * (gate * allocated + (1 - gate) * content)
    kept = 1 - np.outer(write, sigmoid(w["E"] @ h + w["e"]))
    memory = s["memory"] * kept + np.outer(write, w["V"] @ h + w["v"])
    link = np.zeros((n, n), complex)
    for i in range(n):
        for j in range(n):
            if i != j:
                link[i, j] = (1 - write[i] - write[j]) * s["link"][i, j] + write[i] * s["precedence"][j]
    strengths = 1 + softplus(w["B_r"] @ h + w["b_r"])
    read = []
    for k in range(o["R"]):
        back, same, ahead = softmax(w["Q"][k] @ h + w["q"][k])
        content = weights_by_content(memory, w["K_r"][k] @ h + w["k_r"][k], strengths[k])
        read.append(back * link.T @ s["read"][k] + same * content + ahead * link @ s["read"][k])
    return {
        "h": h,
        "c": c,
        "r": np.array([memory.T @ weights for weights in read]),
        "memory": memory,
        "usage": usage,
        "precedence": (1 - write.sum()) * s["precedence"] + write,
        "link": link,
        "write": write,
        "read": np.array(read),
    }


# --- Networks --------------------------------------------------------------------------------------------

CELLS = {
    "stack": stack,
    "pushdown": pushdown,
    "pushdown-automaton": pushdown_automaton,
    "ntm": ntm,
    "ntm-feed-forward": ntm_feed_forward,
    "dnc": dnc,
}


def states(cell, shapes, start, blocks, sizes, x):
    """Return the states after every step of one sequence (T, I)."""
    w = {name.removeprefix("layer0."): block for name, block in blocks.items()}
    s = {
        name: np.full([sizes.get(d) or int(d) for d in shape], start.get(name, 0.0), complex)
        for name, shape in shapes.items()
    }
    found = []
    for step in x:
        s = CELLS[cell](w, step.astype(complex), s, sizes)
        found.append(s)
    return found


def outputs(cell, blocks, sizes, x, lengths):
    """Return the outputs (B, T, O) of a network of one layer, 0 beyond the end of a sequence."""
    shown = np.zeros((*x.shape[:2], len(blocks["readout.b"])), complex)
    for b, length in enumerate(lengths):
        run = states(cell.name, cell.state, cell.start, blocks, sizes, x[b, :length])
        for t, s in enumerate(run):
            seen = np.concatenate([s[name].ravel() for name in cell.output])
            shown[b, t] = blocks["readout.W"] @ seen + blocks["readout.b"]
    return shown
