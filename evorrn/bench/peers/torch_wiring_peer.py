"""Bidirectional layers in PyTorch: `nn.LSTM` with ``bidirectional=True`` under a linear readout."""

from __future__ import annotations

import numpy as np
import torch

from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads

GATES = "ifgo"


def gradient(weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of the blocks of a bidirectional LSTM."""
    torch.set_num_threads(get_threads())
    layers = 1 + max(int(name[5 : name.index(".")]) for name in weights if name.startswith("layer"))
    units = len(weights["layer0.forward.b_i"])
    lstm = torch.nn.LSTM(batch.n_inputs, units, layers, batch_first=True, bidirectional=True)
    linear = torch.nn.Linear(2 * units, batch.n_outputs)
    places: list[tuple[torch.nn.Parameter, list[str]]] = [
        (linear.weight, ["readout.W"]),
        (linear.bias, ["readout.b"]),
    ]
    for layer in range(layers):
        for way, end in (("forward", ""), ("backward", "_reverse")):
            getattr(lstm, f"bias_hh_l{layer}{end}").data.zero_()
            for name, letter in (("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b")):
                blocks = [f"layer{layer}.{way}.{letter}_{gate}" for gate in GATES]
                places.append((getattr(lstm, f"{name}_l{layer}{end}"), blocks))
    for tensor, names in places:
        tensor.data = torch.tensor(np.concatenate([weights[name] for name in names]), dtype=torch.float32)
    x, y = (torch.tensor(np.asarray(array, np.float32)) for array in (batch.inputs, batch.targets))

    def call() -> torch.Tensor:
        for tensor in (*lstm.parameters(), *linear.parameters()):
            tensor.grad = None
        loss: torch.Tensor = torch.nn.functional.mse_loss(linear(lstm(x)[0]), y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def check() -> tuple[np.ndarray, ...]:
        loss = call().item()
        found: dict[str, np.ndarray] = {}
        for tensor, names in places:
            assert tensor.grad is not None
            parts = np.split(tensor.grad.numpy(), len(names)) if len(names) > 1 else [tensor.grad.numpy()]
            found.update(zip(names, parts))
        return np.array([loss]), np.concatenate([found[name].ravel() for name in weights])

    return Contender("PyTorch nn.LSTM", call, check)
