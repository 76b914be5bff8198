"""The differentiable neural computer: a controller with a memory that keeps account of its free places and of the order
in which they were written."""

import numpy as np

from evorrn.cells.ntm import by_content, sums
from evorrn.compile.calls import einsum, outer, total
from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.products import allocation, product
from evorrn.compile.tensors import softmax
from evorrn.kernels.activations import sigmoid, softplus, tanh


def used(usage, write, read, free):
    """Return the new usage of each row (N,): what was written is used, and what was read with its gate open is free."""
    kept = product(1 - einsum("r,rn->rn", free, read))
    return (usage + write - usage * write) * kept


def linked(link, precedence, write, different):
    """Return the new links (N, N), entry i, j of which is by how much row i was written next after row j."""
    kept = link - einsum("i,ij->ij", write, link) - einsum("j,ij->ij", write, link)
    return different * (kept + outer(write, precedence))


@cell(
    sizes={"N": 16, "M": 16, "R": 2},
    state={
        "h": "H",
        "c": "H",
        "r": "R M",
        "memory": "N M",
        "usage": "N",
        "precedence": "N",
        "link": "N N",
        "write": "N",
        "read": "R N",
    },
    parameters={
        "W_i W_f W_g W_o": "H I",
        "R_i R_f R_g R_o": "H R M",
        "U_i U_f U_g U_o": "H H",
        "b_i b_f b_g b_o": "H",
        "K_r": "R M H",
        "k_r": "R M",
        "B_r F": "R H",
        "b_r f": "R",
        "Q": "R 3 H",
        "q": "R 3",
        "K_w": "1 M H",
        "k_w": "1 M",
        "E V": "M H",
        "e v": "M",
        "B_w A G": "1 H",
        "b_w a g": "1",
    },
    initial={"b_f": "ones", "k_r q k_w": "zeros"},
    fixed={"different": Fixed("N N", rule=lambda sizes, options: 1 - np.eye(sizes["N"]))},
    output="h r",
)
def dnc(p, x, h, c, r, memory, usage, precedence, link, write, read):
    """Differentiable neural computer with an LSTM as controller, a head that writes and R that read N rows of M numbers.

    The controller sees the input and what was read last. From its output h come keys ``k = K h + k``, strengths ``1 +
    softplus(B h + b)``, what is erased ``sigmoid(E h + e)`` and written ``V h + v``, the gates of freeing ``sigmoid(F h +
    f)``, of allocation ``sigmoid(A h + a)`` and of writing ``sigmoid(G h + g)``, and the modes ``softmax(Q h + q)`` of each
    reading head. Usage rises where it wrote and falls where it read with an open gate. It writes by content or to the row
    used least. The link matrix has which row was written after which; the modes mix the rows written before those read
    last, rows by content, and the rows written after those read last. The memory is written before it is read. The
    network sees h and all r.

    Source: Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory", Methods. Deviations: the
    LSTM has one layer; its interface has biases; a millionth is added to the squared norms of the cosine, so that a row
    of zeros gives no NaN. The gradient is exact but for the order of the usages, which it takes as constant; it passes
    through the usage, where the program of the authors stops it.
    """
    i = sigmoid(sums(p.W_i, p.R_i, p.U_i, p.b_i, x, r, h))
    f = sigmoid(sums(p.W_f, p.R_f, p.U_f, p.b_f, x, r, h))
    g = tanh(sums(p.W_g, p.R_g, p.U_g, p.b_g, x, r, h))
    o = sigmoid(sums(p.W_o, p.R_o, p.U_o, p.b_o, x, r, h))
    c = f * c + i * g
    h = o * tanh(c)

    usage = used(usage, write, read, sigmoid(p.F @ h + p.f))
    free, chosen = sigmoid(p.A @ h + p.a), sigmoid(p.G @ h + p.g)
    content = by_content(memory, p.K_w @ h + p.k_w, 1 + softplus(p.B_w @ h + p.b_w))[0]
    write = chosen * (free * allocation(usage) + (1 - free) * content)
    memory = memory * (1 - outer(write, sigmoid(p.E @ h + p.e))) + outer(write, p.V @ h + p.v)

    link = linked(link, precedence, write, p.different)
    precedence = (1 - total(write)) * precedence + write
    modes = softmax(p.Q @ h + p.q)
    content = by_content(memory, p.K_r @ h + p.k_r, 1 + softplus(p.B_r @ h + p.b_r))
    read = (
        einsum("r,ji,rj->ri", modes[:, 0], link, read)
        + einsum("r,ri->ri", modes[:, 1], content)
        + einsum("r,ij,rj->ri", modes[:, 2], link, read)
    )
    return h, c, einsum("rn,nm->rm", read, memory), memory, usage, precedence, link, write, read
