"""The recurrent multilayer perceptron."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"o": "H"},
    parameters={"A": "H I", "B R": "H H", "a b": "H"},
    initial={"B": "glorot"},
    recurrent="R",
)
def rmlp(p, x, o, *, activation=tanh):
    """Recurrent multilayer perceptron: a feed-forward layer, then a layer that also sees its own last value.

    Source: Tutschku 1995, "Recurrent multilayer perceptrons for identification and control: the road to
    applications": ``z = f(A x + a)``, ``o = f(B z + R o + b)``. Both layers have H units here. The paper
    joins such subnetworks in a chain; so does a network of several layers.
    """
    z = activation(p.A @ x + p.a)
    return activation(p.B @ z + p.R @ o + p.b)
