"""PyTorch: for a population a loop of `baddbmm` over time, for a gradient its own recurrent layers.

Its `vmap` supports none of them, so a population is written as a loop.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from evorrn.bench.peers.weights import NAMES, Weights, compared
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads

LAYERS = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def fitness(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that scores P individuals, their weights stacked."""
    torch.set_num_threads(get_threads())
    x, y = time_first(batch)
    w = for_products(
        {name: torch.from_numpy(np.ascontiguousarray(values, np.float32)) for name, values in weights.items()}
    )

    @torch.inference_mode()
    def call() -> torch.Tensor:
        return losses(cell, w, x, y)

    return Contender("PyTorch baddbmm loop", call, lambda: [call().numpy()])


def gradient(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of one set of weights."""
    torch.set_num_threads(get_threads())
    x, y = time_first(batch)
    hidden, outputs = weights["recurrent"].shape[1], len(weights["readout"])
    layers = torch.nn.ModuleDict(
        {"rnn": LAYERS[cell](x.shape[2], hidden), "readout": torch.nn.Linear(hidden, outputs)}
    )
    layers.load_state_dict({NAMES[name]: torch.tensor(values) for name, values in weights.items()})

    def call() -> torch.Tensor:
        layers.zero_grad()
        loss = torch.nn.functional.mse_loss(layers["readout"](layers["rnn"](x)[0]), y)
        loss.backward()
        return loss

    def check() -> tuple[np.ndarray, np.ndarray]:
        loss, found = call().item(), dict(layers.named_parameters())
        return compared(loss, {name: found[theirs].grad for name, theirs in NAMES.items()})

    return Contender(f"PyTorch nn.{LAYERS[cell].__name__}", call, check)


def gradient_of(tensor: torch.Tensor) -> np.ndarray:
    """Return the gradient of a leaf, in its shape, after a backward pass."""
    assert tensor.grad is not None
    return tensor.grad.numpy()


def for_products(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return matrices (P, in, out) and rows of biases (P, 1, out), as a product of batches wants them."""
    return {k: v.transpose(1, 2).contiguous() if v.ndim == 3 else v[:, None] for k, v in weights.items()}


def losses(cell: str, w: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of P networks (P,) on inputs (T, B, I) and targets (T, B, O)."""
    individuals, hidden, _ = w["recurrent"].shape
    step = CELLS[cell]
    state = (torch.zeros(individuals, x.shape[1], hidden),) * (2 if cell == "lstm" else 1)
    total = torch.zeros(individuals)
    for now, wanted in zip(x, y):
        drive = torch.baddbmm(w["bias"], now.expand(individuals, -1, -1), w["input"])
        state = step(w, drive, *state)
        error = torch.baddbmm(w["readout_bias"], state[0], w["readout"]) - wanted
        total += error.square_().sum((1, 2))
    return total / y.numel()


def time_first(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs (T, B, I) and targets (T, B, O)."""
    x, y = (
        torch.from_numpy(np.ascontiguousarray(values.swapaxes(0, 1), np.float32))
        for values in (batch.inputs, batch.targets)
    )
    return x, y


def _elman(w: dict[str, torch.Tensor], drive: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (torch.baddbmm(drive, h, w["recurrent"]).tanh_(),)


def _lstm(
    w: dict[str, torch.Tensor], drive: torch.Tensor, h: torch.Tensor, c: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    i, f, g, o = torch.baddbmm(drive, h, w["recurrent"]).chunk(4, dim=2)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru(w: dict[str, torch.Tensor], drive: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    r, z, n = drive.chunk(3, dim=2)
    r_h, z_h, n_h = torch.baddbmm(w["recurrent_bias"], h, w["recurrent"]).chunk(3, dim=2)
    z = (z + z_h).sigmoid()
    return ((1 - z) * (n + (r + r_h).sigmoid() * n_h).tanh() + z * h,)


CELLS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {"elman": _elman, "lstm": _lstm, "gru": _gru}
