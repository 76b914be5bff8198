"""Networks of several passes in PyTorch: bidirectional `nn.LSTM` under a linear readout, and two `nn.GRU` as encoder-decoder."""

from __future__ import annotations

import numpy as np
import torch

from evorrn.bench.peers.torch_peer import gradient_of
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads

GATES = "ifgo"
Places = list[tuple[torch.Tensor, list[str]]]
"""Each parameter with the names of the blocks that it holds, one below the other."""


def gradient(weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of the blocks of a bidirectional LSTM."""
    torch.set_num_threads(get_threads())
    layers = 1 + max(int(name[5 : name.index(".")]) for name in weights if name.startswith("layer"))
    units = len(weights["layer0.forward.b_i"])
    lstm = torch.nn.LSTM(batch.n_inputs, units, layers, batch_first=True, bidirectional=True)
    linear = torch.nn.Linear(2 * units, batch.n_outputs)
    places: Places = [
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
        found = _gradients(places)
        return np.array([loss]), np.concatenate([found[name].ravel() for name in weights])

    return Contender("PyTorch nn.LSTM", call, check)


def pairs(weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of the blocks of an encoder-decoder GRU.

    The decoder sees the true symbols, so that each of the two is one call of ``nn.GRU`` over all steps.
    """
    torch.set_num_threads(get_threads())
    units = len(weights["encoder.layer0.b_r"])
    tables, layers = {}, {}
    places: Places = []
    for part in ("encoder", "decoder"):
        table = weights[f"{part}.embedding.W"]
        tables[part] = torch.nn.Embedding(*table.shape)
        layers[part] = torch.nn.GRU(table.shape[1], units, batch_first=True)
        places.append((tables[part].weight, [f"{part}.embedding.W"]))
        for name, letter in (("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b")):
            blocks = [f"{part}.layer0.{letter}_{gate}" for gate in "rzn"]
            places.append((getattr(layers[part], f"{name}_l0"), blocks))
    linear = torch.nn.Linear(units, len(weights["decoder.readout.b"]))
    places += [(linear.weight, ["decoder.readout.W"]), (linear.bias, ["decoder.readout.b"])]
    for tensor, names in places:
        tensor.data = torch.tensor(np.concatenate([weights[name] for name in names]), dtype=torch.float32)
    for part, layer in layers.items():
        layer.bias_hh_l0.data = torch.zeros(3 * units)
        layer.bias_hh_l0.data[2 * units :] = torch.tensor(weights[f"{part}.layer0.c_n"])
    x, rows = (torch.tensor(np.asarray(array)) for array in (batch.inputs, batch.targets))
    start, stop = torch.zeros_like(rows[:, :1]), torch.ones_like(rows[:, :1])
    seen, wanted = torch.cat([start, rows], dim=1), torch.cat([rows, stop], dim=1)
    modules = [*tables.values(), *layers.values(), linear]
    every = [tensor for module in modules for tensor in module.parameters()]

    def call() -> torch.Tensor:
        for tensor in every:
            tensor.grad = None
        _, state = layers["encoder"](tables["encoder"](x))
        logits = linear(layers["decoder"](tables["decoder"](seen), state)[0])
        loss: torch.Tensor = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def check() -> tuple[np.ndarray, ...]:
        loss = call().item()
        found = _gradients(places)
        for part, layer in layers.items():
            found[f"{part}.layer0.c_n"] = gradient_of(layer.get_parameter("bias_hh_l0"))[2 * units :]
        return np.array([loss]), np.concatenate([found[name].ravel() for name in weights])

    return Contender("PyTorch nn.GRU", call, check)


def _gradients(places: Places) -> dict[str, np.ndarray]:
    """Return the gradient of each block by its name."""
    found: dict[str, np.ndarray] = {}
    for tensor, names in places:
        found.update(zip(names, np.split(gradient_of(tensor), len(names))))
    return found
