"""Networks that see their own last outputs: the nonlinear autoregressive network with inputs, and units that latch."""

import numpy as np

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
from evorrn.compile.equations import Fixed
from evorrn.compile.tensors import push
from evorrn.kernels.activations import tanh


@cell(
    sizes={"input_taps": 3, "output_taps": 3},
    state={"h": "H", "past": "input_taps I", "given": "output_taps O"},
    parameters={"W_x": "H input_taps I", "W_y": "H output_taps O", "b": "H"},
    recurrent="W_y",
)
def narx(p, x, h, past, given, y, *, activation=tanh):
    """Nonlinear autoregressive network with inputs: it sees the last inputs and its own last outputs.

    Source: Lin, Horne, Tiňo and Giles 1996, "Learning long-term dependencies in NARX recurrent neural
    networks": the output is a network of one hidden layer of ``x_t, x_(t-1), ...`` and ``y_(t-1), y_(t-2),
    ...``, of which `input_taps` and `output_taps` are seen. Before the first time step both are zero. The
    last h is not used. In the unscored first steps of a sequence the true outputs stand in for the network's
    own (series-parallel form); after them it sees its own (parallel form), in training too.
    """
    past, given = push(past, x), push(given, y)
    h = activation(einsum("hki,ki->h", p.W_x, past) + einsum("hko,ko->h", p.W_y, given) + p.b)
    return h, past, given


def learned_inputs(sizes, options):
    """Return a mask (K, I): 0 for the last input, whose weight is not learned, and 1 for the others."""
    mask = np.ones((sizes["input_taps"], sizes["I"]))
    mask[:, -1] = 0
    return mask


def noise_weights(sizes, options):
    """Return weights (K, I): 1 for the present value of the last input, 0 for everything else."""
    weights = np.zeros((sizes["input_taps"], sizes["I"]))
    weights[0, -1] = 1
    return weights


def equal_shares(sizes, options):
    """Return weights (K,) of past outputs that add up to 1."""
    return np.full(sizes["output_taps"], 1 / sizes["output_taps"])


@cell(
    sizes={"input_taps": 3, "output_taps": 3},
    state={"h": "H", "past": "input_taps I", "given": "output_taps H"},
    parameters={"W_x": "H input_taps I"},
    initial={"W_x": "small"},
    fixed={
        "mask": Fixed("input_taps I", rule=learned_inputs),
        "noise": Fixed("input_taps I", rule=noise_weights),
        "share": Fixed("output_taps", rule=equal_shares),
    },
)
def latch(p, x, h, past, given, *, feedback=1.25):
    """Units with two stable states: they see their own last values through fixed weights, whose sum is `feedback`.

    Source: Lin, Horne, Tiňo and Giles 1996, section on the latching problem: one tanh neuron whose fixed feedback of 1.25
    has two stable states, 0.71 and -0.71; it sees the last inputs through learned weights and noise through a weight of 1,
    here the last input.
    """
    past, given = push(past, x), push(given, h)
    seen = einsum("hki,ki,ki->h", p.W_x, p.mask, past) + einsum("ki,ki->", p.noise, past)
    h = tanh(seen + feedback * einsum("k,kh->h", p.share, given))
    return h, past, given
