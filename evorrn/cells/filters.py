"""Networks whose weights are filters in time: of finite and of infinite impulse response."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.tensors import push
from evorrn.kernels.activations import tanh


@cell(
    sizes={"taps": 4},
    state={"h": "H", "past": "taps I"},
    parameters={"W": "H taps I", "b": "H"},
    recurrent="",
)
def fir(p, x, h, past, *, activation=tanh):
    """Network of finite impulse response: each unit sees the last inputs, those of `taps` time steps.

    Source: Back and Tsoi 1991, "FIR and IIR synapses, a new neural network architecture for time series
    modeling", FIR synapses; several layers make the time-delay network of Waibel et al. 1989. Inputs before
    the first time step are zero. The last h is not used.
    """
    past = push(past, x)
    return activation(einsum("hki,ki->h", p.W, past) + p.b), past


@cell(
    sizes={"taps": 4, "poles": 2},
    state={"h": "H", "past": "taps I", "filtered": "poles H I"},
    parameters={"W": "H taps I", "V": "H poles I", "b": "H"},
    initial={"V": "zeros"},
    recurrent="V",
)
def iir(p, x, h, past, filtered, *, activation=tanh):
    """Network of infinite impulse response: each connection is a linear filter with feedback.

    Source: Back and Tsoi 1991, "FIR and IIR synapses, a new neural network architecture for time series
    modeling": the output of a connection is ``y[t] = sum_k W_k x[t - k] + sum_k V_k y[t - k]``, and a unit
    sums its connections. A connection is stable if its poles, the roots of ``z^n - V_1 z^(n-1) - ... - V_n``,
    are inside the unit circle; nothing keeps them there. V starts at zero, a choice made here. The last h is
    not used.
    """
    past = push(past, x)
    y = einsum("hki,ki->hi", p.W, past) + einsum("hki,khi->hi", p.V, filtered)
    return activation(einsum("hi->h", y) + p.b), past, push(filtered, y)
