"""Networks with stacks of numbers that they push to and pop from by degrees."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.tensors import push, shift, softmax
from evorrn.kernels.activations import sigmoid


def popped(stack):
    """Return stacks (D, K) without their top values; a place without a value holds -1."""
    return shift(stack + 1, -1) - 1


def mixed(stack, top, actions):
    """Return the mixture of stacks with `top` (K,) pushed, popped, and left as they are, in the shares `actions` (K, 3)."""
    return (
        einsum("k,dk->dk", actions[:, 0], push(stack, top))
        + einsum("k,dk->dk", actions[:, 1], popped(stack))
        + einsum("k,dk->dk", actions[:, 2], stack)
    )


@cell(
    sizes={"K": 2, "D": 32},
    state={"h": "H", "stack": "D K"},
    parameters={
        "W_x": "H I",
        "W_h": "H H",
        "W_top W_next": "H K",
        "b": "H",
        "A": "K 3 H",
        "a": "K 3",
        "V": "K H",
        "v": "K",
    },
    initial={"a": "zeros"},
    start={"stack": -1.0},
)
def stack(p, x, h, stack, *, activation=sigmoid):
    """Recurrent network with K stacks of depth D: it sees the two top values of each, and pushes, pops or does nothing.

    ``h = f(W_x x + W_h h + W_top s[0] + W_next s[1] + b)``; for each stack ``(push, pop, none) = softmax(A h + a)``,
    ``s[0] = push sigmoid(V h + v) + pop s[1] + none s[0]`` and ``s[i] = push s[i-1] + pop s[i+1] + none s[i]``. The new h
    sees the stacks of the last step. A place without a value is -1; what is pushed below place D is lost.

    Source: Joulin and Mikolov 2015, "Inferring algorithmic patterns with stack-augmented recurrent nets", equations 3 to
    6, with the two topmost values and with the action that does nothing; the value -1 is that of their program.
    Deviations: biases; the depth is fixed.
    """
    h = activation(p.W_x @ x + p.W_h @ h + p.W_top @ stack[0] + p.W_next @ popped(stack)[0] + p.b)
    return h, mixed(stack, sigmoid(p.V @ h + p.v), softmax(p.A @ h + p.a))
