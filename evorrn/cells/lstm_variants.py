"""Variants of long short-term memory: the form of 1997, peepholes, coupled gates, output that is fed back."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import sigmoid, tanh


@cell(
    name="lstm-1997",
    state={"h": "H", "c": "H"},
    parameters={"W_i W_g W_o": "H I", "U_i U_g U_o": "H H", "b_i b_g b_o": "H"},
)
def lstm_1997(p, x, h, c):
    """Long short-term memory of 1997: no forget gates; c keeps what it holds while its input gate is closed.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", appendix A.1: the candidate is between
    -2 and 2, and the output between -1 and 1. A block has one unit of memory here, and the gates see the
    outputs h of all units, where the paper leaves open who sees whom. The gradient is exact; the paper
    truncates it at the gates. Biases start at zero; the paper starts those of the output gates below zero in
    some experiments.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.b_i)  # input gate
    g = 4 * sigmoid(p.W_g @ x + p.U_g @ h + p.b_g) - 2  # candidate
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.b_o)  # output gate
    c = c + i * g
    return o * (2 * sigmoid(c) - 1), c


@cell(
    state={"h": "H", "c": "H"},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "U_i U_f U_g U_o": "H H",
        "p_i p_f p_o": "H",
        "b_i b_f b_g b_o": "H",
    },
    initial={"p_i p_f p_o": "uniform", "b_f": "ones"},
    recurrent="U_i U_f U_g U_o p_i p_f p_o",
)
def lstm_peephole(p, x, h, c):
    """Long short-term memory with peepholes: each gate also sees the memory c of its own unit.

    Source: Gers, Schraudolph and Schmidhuber 2002, "Learning precise timing with LSTM recurrent networks", in
    the form of Greff et al. 2017, "LSTM: a search space odyssey": the output gate sees the new c. The output
    is ``o * tanh(c)``, where Gers et al. write ``o * c``. Initial forget bias 1 as in `lstm`; peepholes start
    uniform between -1/sqrt(H) and 1/sqrt(H), which is a choice made here.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.p_i * c + p.b_i)  # input gate
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.p_f * c + p.b_f)  # forget gate
    g = tanh(p.W_g @ x + p.U_g @ h + p.b_g)  # candidate
    c = f * c + i * g
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.p_o * c + p.b_o)  # output gate
    return o * tanh(c), c


@cell(
    state={"h": "H", "c": "H"},
    parameters={
        "W_i W_f W_g W_o": "H I",
        "U_i U_f U_g U_o": "H H",
        "p_i p_f p_o": "H",
        "b_i b_f b_g b_o": "H",
    },
    initial={"W_i W_f W_g W_o U_i U_f U_g U_o p_i p_f p_o": "small", "b_f": "ones"},
    recurrent="U_i U_f U_g U_o p_i p_f p_o",
)
def lstm_counting(p, x, h, c):
    """Long short-term memory that counts: peepholes, and neither the candidate nor the output is squashed.

    A cell adds or takes the same amount at each step, without bound, and its output gate tells by its peephole when
    the count is back at its start.

    Source: Gers and Schmidhuber 2001, "LSTM recurrent networks learn simple context-free and context-sensitive
    languages". Weights begin on ±0.1; the paper begins biases of input, forget and output gates at -1, 2 and -2,
    which a network's `initial` can give. The gradient is exact; the paper truncates it at the gates.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.p_i * c + p.b_i)  # input gate
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.p_f * c + p.b_f)  # forget gate
    c = f * c + i * (p.W_g @ x + p.U_g @ h + p.b_g)
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.p_o * c + p.b_o)  # output gate
    return o * c, c


@cell(
    state={"h": "H", "c": "H"},
    parameters={"W_f W_g W_o": "H I", "U_f U_g U_o": "H H", "b_f b_g b_o": "H"},
    initial={"b_f": "ones"},
)
def lstm_coupled(p, x, h, c):
    """Long short-term memory with coupled gates: the input gate is one minus the forget gate.

    Source: Greff et al. 2017, "LSTM: a search space odyssey", variant CIFG, without its peepholes. The paper
    has the weights of the input gate and ``f = 1 - i``; here they are those of the forget gate, which have
    the opposite sign, so that its bias can start at 1 as in `lstm`.
    """
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)  # forget gate
    g = tanh(p.W_g @ x + p.U_g @ h + p.b_g)  # candidate
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.b_o)  # output gate
    c = f * c + (1 - f) * g
    return o * tanh(c), c


@cell(
    state={"h": "H", "c": "H", "last": "O"},
    parameters={"W_i W_f W_g W_o": "H I", "U_i U_f U_g U_o": "H H", "b_i b_f b_g b_o": "H"},
    initial={"b_f": "ones"},
    output="h last",
)
def lstm_output_feedback(p, x, h, c, last, y):
    """Long short-term memory with a recurrent output layer: the readout also sees the last output.

    Source: Zen and Sak 2015, "Unidirectional long short-term memory recurrent neural network with recurrent
    output layer for low-latency speech synthesis": ``y_t = W_h h_t + W_y y_(t-1) + b``; the readout of the
    network is [W_h W_y]. In a stack every layer hands the last output on beside its h. With a loss of classes
    the last output is a probability, unless the network has ``fed_back="output"``.
    """
    i = sigmoid(p.W_i @ x + p.U_i @ h + p.b_i)  # input gate
    f = sigmoid(p.W_f @ x + p.U_f @ h + p.b_f)  # forget gate
    g = tanh(p.W_g @ x + p.U_g @ h + p.b_g)  # candidate
    o = sigmoid(p.W_o @ x + p.U_o @ h + p.b_o)  # output gate
    c = f * c + i * g
    return o * tanh(c), c, y
