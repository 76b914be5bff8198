"""Leaky units that see their inputs through tanh, as fed-back outputs of a tanh output unit."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import tanh


@cell(
    name="squashed-leaky",
    state={"h": "H"},
    parameters={"W_x": "H I", "W_h": "H H", "b": "H"},
    ranges={"leak": (0, 1)},
)
def squashed_leaky(p, x, h, *, leak=0.3, scale=1.0, shift=0.0, activation=tanh):
    """Leaky-integrator units whose inputs are ``tanh(scale x + shift)``.

    In a free run the inputs are the network's own outputs, which then cannot grow beyond the range of tanh. With a linear
    readout of x this is the network of Jaeger 2001, whose output unit is tanh and whose readout is fitted to arctanh of
    the series ``tanh(x - 1)``.

    Source: Jaeger 2001, "The echo state approach to analysing and training recurrent neural networks" (GMD report 148).
    """
    return (1 - leak) * h + leak * activation(p.W_x @ tanh(scale * x + shift) + p.W_h @ h + p.b)
