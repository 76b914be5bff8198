"""The second-order network, whose units see products of the state and the input."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid


@cell(
    state={"h": "H"},
    parameters={"W": "H H I", "b": "H"},
    recurrent="W",
)
def second_order(p, x, h, *, activation=sigmoid):
    """Second-order network: every weight belongs to a unit, a unit of the last state, and an input.

    Source: Giles, Miller, Chen, Chen, Sun and Lee 1992, "Learning and extracting finite state automata with
    second-order recurrent neural networks", equation 1, with a bias added. The paper starts in a unit vector; here the
    first state is zero, so the first step sees the bias alone: let a sequence begin with one symbol more.
    """
    return activation(einsum("ijk,j,k->i", p.W, h, x) + p.b)
