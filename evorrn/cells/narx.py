"""The nonlinear autoregressive network with inputs from outside."""

from evorrn.compile.calls import einsum
from evorrn.compile.cell import cell
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
