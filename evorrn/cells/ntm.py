"""The neural Turing machine: a controller with a memory that it reads and writes by content and by place."""

from evorrn.compile.calls import einsum, outer
from evorrn.compile.cell import cell
from evorrn.compile.library import convolve, cosine
from evorrn.compile.ops import maximum
from evorrn.compile.tensors import softmax
from evorrn.kernels.activations import log, sigmoid, softplus, tanh


def address(memory, before, key, strength, gate, shifts, sharpness):
    """Return new weights of a head (N,): by content, mixed with the last ones, moved, and sharpened."""
    by_content = softmax(strength * cosine(memory, key))
    mixed = gate * by_content + (1 - gate) * before
    return softmax(sharpness * log(maximum(convolve(mixed, shifts), 0) + 1e-12))


@cell(
    sizes={"N": 32, "M": 16},
    state={"h": "H", "r": "M", "memory": "N M", "read": "N", "write": "N"},
    parameters={
        "W_x": "H I",
        "W_r": "H M",
        "W_h": "H H",
        "b": "H",
        "K_r K_w E A": "M H",
        "k_r k_w e a": "M",
        "S_r S_w": "3 H",
        "s_r s_w": "3",
        "B_r B_w G_r G_w C_r C_w": "1 H",
        "b_r b_w g_r g_w c_r c_w": "1",
    },
    start={"memory": 1e-6},
    output="h r",
)
def ntm(p, x, h, r, memory, read, write):
    """Neural Turing machine with one head that reads and one that writes; the network sees the controller and the read.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", equations 1 to 9. The controller is a simple
    recurrent network. The memory is written first and then read.
    """
    h = tanh(p.W_x @ x + p.W_r @ r + p.W_h @ h + p.b)
    write = address(
        memory,
        write,
        tanh(p.K_w @ h + p.k_w),
        softplus(p.B_w @ h + p.b_w),
        sigmoid(p.G_w @ h + p.g_w),
        softmax(p.S_w @ h + p.s_w),
        1 + softplus(p.C_w @ h + p.c_w),
    )
    erase, add = sigmoid(p.E @ h + p.e), tanh(p.A @ h + p.a)
    memory = memory * (1 - outer(write, erase)) + outer(write, add)
    read = address(
        memory,
        read,
        tanh(p.K_r @ h + p.k_r),
        softplus(p.B_r @ h + p.b_r),
        sigmoid(p.G_r @ h + p.g_r),
        softmax(p.S_r @ h + p.s_r),
        1 + softplus(p.C_r @ h + p.c_r),
    )
    r = einsum("n,nm->m", read, memory)
    return h, r, memory, read, write
