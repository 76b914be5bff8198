"""Neural Turing machines: controllers with a memory that they read and write by content and by place."""

import numpy as np

from evorrn.compile.calls import einsum, outer
from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.ops import maximum
from evorrn.compile.products import product
from evorrn.compile.tensors import roll, softmax
from evorrn.kernels.activations import log, sigmoid, softplus, sqrt, tanh


def sums(W, R, U, b, x, r, h):
    """Return the sums of the units of a controller that sees an input, what was read (R, M), and its last values."""
    return W @ x + einsum("hrm,rm->h", R, r) + U @ h + b


def similarity(memory, keys):
    """Return the cosine of the angle between each key (R, M) and each row of a memory (N, M), shape (R, N).

    A millionth is added to each squared norm, so that a row of zeros gives 0 and no NaN.
    """
    rows = einsum("nm,nm->n", memory, memory) + 1e-6
    lengths = einsum("rm,rm->r", keys, keys) + 1e-6
    return einsum("rm,nm->rn", keys, memory) / sqrt(outer(lengths, rows))


def by_content(memory, keys, strengths):
    """Return weights (R, N), each row with the sum 1: large where a row of the memory is like a key (R, M)."""
    return softmax(einsum("r,rn->rn", strengths, similarity(memory, keys)))


def address(memory, before, keys, strengths, gates, shifts, sharpness):
    """Return the new weights of heads (R, N): by content, mixed with the last ones, moved in a circle, and sharpened."""
    content = by_content(memory, keys, strengths)
    mixed = einsum("r,rn->rn", gates, content) + einsum("r,rn->rn", 1 - gates, before)
    moved = (
        einsum("r,rn->rn", shifts[:, 0], roll(mixed, -1, 1))
        + einsum("r,rn->rn", shifts[:, 1], mixed)
        + einsum("r,rn->rn", shifts[:, 2], roll(mixed, 1, 1))
    )
    return softmax(einsum("r,rn->rn", sharpness, log(maximum(moved, 1e-30))))


def written(memory, weights, erase, add):
    """Return a memory (N, M) after heads with weights (W, N) have erased shares (W, M) of it and added vectors (W, M)."""
    return memory * product(1 - einsum("wn,wm->wnm", weights, erase)) + einsum("wn,wm->nm", weights, add)


def turned(p, h, memory, write, read, begun):
    """Return the weights of the heads and the memory after a step in which the controller is h."""
    write = address(
        memory,
        write + (1 - begun) * p.first_w,
        tanh(p.K_w @ h + p.k_w),
        softplus(p.B_w @ h + p.b_w),
        sigmoid(p.G_w @ h + p.g_w),
        softmax(p.S_w @ h + p.s_w),
        1 + softplus(p.C_w @ h + p.c_w),
    )
    memory = written(memory, write, sigmoid(p.E @ h + p.e), tanh(p.A @ h + p.a))
    read = address(
        memory,
        read + (1 - begun) * p.first_r,
        tanh(p.K_r @ h + p.k_r),
        softplus(p.B_r @ h + p.b_r),
        sigmoid(p.G_r @ h + p.g_r),
        softmax(p.S_r @ h + p.s_r),
        1 + softplus(p.C_r @ h + p.c_r),
    )
    return write, memory, read


def first_row(heads):
    """Return the rule of an array (heads, N) whose rows are 1 in the first place and 0 elsewhere."""
    return lambda sizes, options: np.eye(sizes["N"])[np.zeros(sizes[heads], int)]


HEADS = {
    "K_r": "R M H",
    "K_w E A": "W M H",
    "k_r": "R M",
    "k_w e a": "W M",
    "S_r": "R 3 H",
    "S_w": "W 3 H",
    "s_r": "R 3",
    "s_w": "W 3",
    "B_r G_r C_r": "R H",
    "B_w G_w C_w": "W H",
    "b_r g_r c_r": "R",
    "b_w g_w c_w": "W",
}
"""The parameters of the heads: keys K, shifts S, strengths B, gates G and sharpness C, of heads that read (r) or write (w), and
what is erased (E) and added (A); each with its bias."""
BIASES = {"k_r k_w e a s_r s_w": "zeros"}
STATES = {"memory": "N M", "write": "W N", "read": "R N", "begun": "1"}
DECLARED = {
    "sizes": {"N": 32, "M": 16, "R": 1, "W": 1},
    "fixed": {"first_r": Fixed("R N", first_row("R")), "first_w": Fixed("W N", first_row("W"))},
    "start": {"memory": 1e-6},
    "output": "h r",
}


@cell(
    state={"h": "H", "c": "H", "r": "R M", **STATES},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "R_i R_f R_g R_o": "H R M",
        "U_i U_f U_g U_o": "H H",
        "b_i b_f b_g b_o": "H",
        **HEADS,
    },
    initial={"b_f": "ones", **BIASES},
    **DECLARED,
)
def ntm(p, x, h, c, r, memory, write, read, begun):
    """Neural Turing machine with an LSTM as controller, R heads that read and W heads that write to N rows of M numbers.

    The controller sees the input and what was read last. From its output h each head has a key ``k = tanh(K h + k)``, a
    strength ``b = softplus(B h + b)``, a gate ``g = sigmoid(G h + g)``, shares of three shifts ``s = softmax(S h + s)`` and
    a sharpness ``c = 1 + softplus(C h + c)``. Its weights over the rows are those by content ``softmax(b cosine(memory,
    k))``, mixed with its last ones in the shares g and 1 - g, moved by -1, 0 and 1 rows in a circle in the shares s, and
    raised to the power c and divided by their sum. A writing head erases ``e = sigmoid(E h + e)`` and adds ``a = tanh(A h
    + a)``: ``memory = memory (1 - w e') + w a'``. A reading head reads ``r = memory' w``. The memory is written before it
    is read. The network sees h and all r.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", equations 1 to 9. What the paper leaves open: the
    memory starts at 1e-6 and every head on the first row, since equal rows with equal weights would remain equal for
    ever; keys and what is added lie between -1 and 1. Deviations: a millionth is added to the squared norms of the
    cosine, and weights below 1e-30 are sharpened as 1e-30, so that nothing is divided by 0.
    """
    i = sigmoid(sums(p.W_i, p.R_i, p.U_i, p.b_i, x, r, h))
    f = sigmoid(sums(p.W_f, p.R_f, p.U_f, p.b_f, x, r, h))
    g = tanh(sums(p.W_g, p.R_g, p.U_g, p.b_g, x, r, h))
    o = sigmoid(sums(p.W_o, p.R_o, p.U_o, p.b_o, x, r, h))
    c = f * c + i * g
    h = o * tanh(c)
    write, memory, read = turned(p, h, memory, write, read, begun)
    return h, c, einsum("rn,nm->rm", read, memory), memory, write, read, maximum(begun, 1)


@cell(
    state={"h": "H", "r": "R M", **STATES},
    parameters={"W_x": "H I", "W_r": "H R M", "b": "H", **HEADS},
    initial=BIASES,
    **DECLARED,
)
def ntm_feed_forward(p, x, h, r, memory, write, read, begun):
    """Neural Turing machine with a feed-forward layer as controller: what it remembers is in its memory and its heads.

    ``h = tanh(W_x x + W_r r + b)``; all else is as in the cell ntm.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", section 3.3; deviations as in the cell ntm.
    """
    h = tanh(p.W_x @ x + einsum("hrm,rm->h", p.W_r, r) + p.b)
    write, memory, read = turned(p, h, memory, write, read, begun)
    return h, einsum("rn,nm->rm", read, memory), memory, write, read, maximum(begun, 1)
