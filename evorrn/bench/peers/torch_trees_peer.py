"""Recursive networks in PyTorch, with all nodes of one height computed together."""

from __future__ import annotations

import numpy as np
import torch

from evorrn.bench.peers.torch_peer import gradient_of
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads


def gradient(weights: Weights, batch: Batch) -> Contender:
    """Return the contender that computes loss and gradient of `recursive`, or with a tensor V of `rntn`."""
    torch.set_num_threads(get_threads())
    given = {name: torch.tensor(values, requires_grad=True) for name, values in weights.items()}
    words, children, labels = _levels(batch)

    def call() -> torch.Tensor:
        for tensor in given.values():
            tensor.grad = None
        joined = torch.cat([given["W_l"], given["W_r"]], 1).T
        states = torch.nn.functional.embedding(words, given["W_x"].T)
        for links in children:
            both = torch.nn.functional.embedding(links.reshape(-1), states).reshape(len(links), -1)
            total = torch.addmm(given["b"], both, joined)
            if "V" in given:
                first = both @ given["V"].flatten(0, 1).T
                total = total + (first.unflatten(1, given["V"].shape[:2]) * both[:, None]).sum(2)
            states = torch.cat([states, torch.tanh(total)])
        outputs = torch.addmm(given["readout.b"], states, given["readout.W"].T)
        loss = torch.nn.functional.cross_entropy(outputs, labels)
        loss.backward()
        return loss

    def check() -> tuple[np.ndarray, ...]:
        loss = call().item()
        return np.array([loss]), np.concatenate([gradient_of(given[name]).ravel() for name in weights])

    return Contender("PyTorch, by levels", call, check)


def _levels(batch: Batch) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
    """Return the words of all leaves, the children of the nodes of each height, and the labels in this order."""
    assert batch.lengths is not None and batch.links is not None
    heights = np.zeros((batch.size, batch.steps), np.int64)
    rows = np.arange(batch.size)
    for step in range(batch.steps):
        below = np.where(batch.links[:, step] >= 0, heights[rows[:, None], batch.links[:, step]] + 1, 0)
        heights[:, step] = below.max(axis=1)
    heights[np.arange(batch.steps) >= batch.lengths[:, None]] = -1
    place, count, children, order = np.zeros_like(heights), 0, [], []
    for height in range(int(heights.max()) + 1):
        found = np.argwhere(heights == height)
        if height:
            links = batch.links[found[:, 0], found[:, 1]]
            children.append(torch.tensor(place[found[:, :1], links]))
        place[found[:, 0], found[:, 1]] = count + np.arange(len(found))
        count += len(found)
        order.append(found)
    first, every = order[0], np.concatenate(order)
    words = torch.tensor(batch.inputs[first[:, 0], first[:, 1]].argmax(axis=1))
    return words, children, torch.tensor(batch.targets[every[:, 0], every[:, 1]])
