"""Networks with a stack whose entries have strengths, so that parts of an entry can be pushed, popped and read."""

import numpy as np

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.ops import maximum, minimum
from evorrn.compile.tensors import push
from evorrn.kernels.activations import sigmoid, tanh

ABOVE = Fixed("T T", rule=lambda sizes, options: np.tril(np.ones((sizes["T"], sizes["T"])), -1))
"""Ones below the diagonal: times the strengths, the strength that lies above each entry."""


def popped(strengths, amount, above):
    """Return the strengths (T,) of a stack after the topmost `amount` (1,) is taken away; the first entry is the top."""
    return maximum(0, strengths - maximum(0, amount - above @ strengths))


def top(strengths, values, above):
    """Return the mixture (M,) of the values (T, M) in the topmost strength of 1."""
    return einsum("t,tm->m", minimum(strengths, maximum(0, 1 - above @ strengths)), values)


@cell(
    sizes={"T": 32, "M": 8},
    state={"h": "H", "c": "H", "r": "M", "strengths": "T", "values": "T M"},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "R_i R_f R_g R_o": "H M",
        "U_i U_f U_g U_o": "H H",
        "b_i b_f b_g b_o": "H",
        "D": "1 H",
        "d": "1",
        "P": "1 H",
        "u": "1",
        "V": "M H",
        "v": "M",
    },
    initial={"b_f": "ones"},
    fixed={"above": ABOVE},
)
def pushdown(p, x, h, c, r, strengths, values):
    """LSTM with a continuous stack, which it pops by a strength, pushes a value to with a strength, and then reads.

    The LSTM sees the input and the last read r. ``pop = sigmoid(P h + u)``, ``push = sigmoid(D h + d)``, ``value = tanh(V h
    + v)``. Popping takes its strength from the top entries down, the new value is pushed with its strength, and r is the
    mixture of the values in the topmost strength of 1.

    Source: Grefenstette, Hermann, Suleyman and Blunsom 2015, "Learning to transduce with unbounded memory", equations 1
    to 3 and figure 1. Deviations: the stack has T entries, so that what was pushed more than T steps ago is lost; the
    network sees h, where theirs has a layer with tanh before its output; biases start at 0.
    """
    i = sigmoid(p.W_i @ x + p.R_i @ r + p.U_i @ h + p.b_i)
    f = sigmoid(p.W_f @ x + p.R_f @ r + p.U_f @ h + p.b_f)
    g = tanh(p.W_g @ x + p.R_g @ r + p.U_g @ h + p.b_g)
    o = sigmoid(p.W_o @ x + p.R_o @ r + p.U_o @ h + p.b_o)
    c = f * c + i * g
    h = o * tanh(c)
    strengths = push(popped(strengths, sigmoid(p.P @ h + p.u), p.above), sigmoid(p.D @ h + p.d))
    values = push(values, tanh(p.V @ h + p.v))
    return h, c, top(strengths, values, p.above), strengths, values


@cell(
    sizes={"T": 32},
    state={"h": "H", "r": "I", "strengths": "T", "values": "T I"},
    parameters={"W_x W_r": "H H I", "b": "H", "A_x A_r": "1 H I", "a": "1"},
    recurrent="W_x W_r",
    start={"h": 1.0},
    fixed={"above": ABOVE},
)
def pushdown_automaton(p, x, h, r, strengths, values):
    """Neural pushdown automaton: a second-order network that pushes its input to a continuous stack, or pops.

    Each unit sees the products of every last unit with every entry of the input and of the last read r:
    ``h' = sigmoid(sum_jk W_x[:, j, k] h_j x_k + sum_jk W_r[:, j, k] h_j r_k + b)``, and so does the action
    ``A = tanh(...)``. An action above 0 pushes the input with the strength A, one below 0 pops the strength -A; r is the
    mixture of the entries in the topmost strength of 1.

    Source: Sun, Giles, Chen and Lee 1993, "The neural network pushdown automaton: model, stack and learning
    simulations". Deviations: of second order in the state and in input and read one after the other, where theirs is of
    third order; actions have no threshold, so that the gradient is exact; all units start at 1; the stack has T entries,
    so that what was pushed more than T steps ago is lost.
    """
    action = tanh(einsum("ijk,j,k->i", p.A_x, h, x) + einsum("ijk,j,k->i", p.A_r, h, r) + p.a)
    h = sigmoid(einsum("ijk,j,k->i", p.W_x, h, x) + einsum("ijk,j,k->i", p.W_r, h, r) + p.b)
    strengths = push(popped(strengths, maximum(0, -action), p.above), maximum(0, action))
    values = push(values, x)
    return h, top(strengths, values, p.above), strengths, values
