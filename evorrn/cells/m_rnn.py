"""m-RNN: a language model that sees a context, such as the features of a picture, beside every word."""

from evorrn.compile.cell import cell
from evorrn.kernels.activations import relu, tanh


@cell(
    state={"m": "H", "r": "H", "context": "C"},
    parameters={"W_w": "H I", "U_r V_w V_r": "H H", "V_I": "H C"},
    initial={"V_w V_r": "glorot"},
    recurrent="U_r",
    sizes={"C": 16},
)
def m_rnn(p, x, m, r, context):
    """Multimodal recurrent network: words, their history and a context meet in one layer.

    Source: Mao, Xu, Yang, Wang, Huang and Yuille 2015, "Deep captioning with multimodal recurrent neural networks (m-RNN)",
    equations 1 and 2. The first of the two layers that embed a word is the `embedding` of the network, the second is
    ``W_w``; the softmax is that of the loss. The context is a state that stays as it begins: an encoder-decoder begins it with
    the last output of its encoder, and sets C to the length of that. Without an encoder it is zero, and the cell is a model of
    language alone. Deviation: the history and the layer where all meet have equally many units.
    """
    w = p.W_w @ x  # word
    r_new = relu(p.U_r @ r + w)  # history
    m_new = 1.7159 * tanh(2 / 3 * (p.V_w @ w + p.V_r @ r_new + p.V_I @ context))  # multimodal layer
    return m_new, r_new, context
