"""Leaky-integrator units, which most echo state networks use."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    ranges={"leak": (0, 1)},
)
def leaky(p, x, h, *, leak=0.3, activation=tanh):
    """Leaky-integrator units: each state moves towards its new activation by the share `leak`.

    Source: Jaeger, Lukoševičius, Popovici and Siewert 2007, "Optimization and applications of echo
    state networks with leaky-integrator neurons", in the form of Lukoševičius 2012, equations 2 and 3.
    """
    return (1 - leak) * h + leak * activation(p.W_x @ x + p.W_h @ h + p.b)
