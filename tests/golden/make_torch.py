"""Write golden files of PyTorch's recurrent layers: weights, inputs, outputs, loss and gradients.

Run with PyTorch installed: ``python tests/golden/make_torch.py``.
"""

from pathlib import Path

import numpy as np
import torch

LAYERS = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
FOLDER = Path(__file__).parent


def compute(
    cell: str, seed: int, inputs: int, hidden: int, outputs: int, layers: int, shape: tuple[int, int]
) -> dict:
    """Return everything about one network, in float64."""
    torch.manual_seed(seed)
    rnn = LAYERS[cell](inputs, hidden, num_layers=layers, batch_first=True).double()
    readout = torch.nn.Linear(hidden, outputs).double()
    x, target = torch.randn(*shape, inputs).double(), torch.randn(*shape, outputs).double()
    y = readout(rnn(x)[0])
    loss = ((y - target) ** 2).mean()
    loss.backward()
    named = [*((f"rnn.{n}", p) for n, p in rnn.named_parameters())]
    named += [(f"readout.{n}", p) for n, p in readout.named_parameters()]
    result = {"x": x.numpy(), "target": target.numpy(), "y": y.detach().numpy(), "loss": loss.item()}
    result.update({f"weight:{n}": p.detach().numpy() for n, p in named})
    result.update({f"gradient:{n}": p.grad.numpy() for n, p in named})
    return result


if __name__ == "__main__":
    for name in LAYERS:
        data = compute(name, seed=1, inputs=3, hidden=6, outputs=2, layers=2, shape=(5, 11))
        np.savez_compressed(FOLDER / f"torch_{name}.npz", **data)
