"""PyTorch as its users write cells of their own: a step for a batch in a loop over time, `vmap` over individuals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from evorrn.bench.peers.torch_peer import gradient_of, time_first
from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads

Tensors = dict[str, torch.Tensor]
Step = Callable[..., tuple[tuple[torch.Tensor, ...], torch.Tensor]]


def fitness(cell: str, weights: Weights, batch: Batch, options: Mapping[str, Any]) -> Contender:
    """Return the contender that scores P individuals, their weights stacked."""
    given, (x, y) = _tensors(weights), time_first(batch)
    losses = torch.vmap(partial(CELLS[cell], **options), in_dims=(0, None, None))

    @torch.no_grad()
    def call() -> torch.Tensor:
        return losses(given, x, y)

    return Contender("PyTorch vmap(loop)", call, lambda: [call().numpy()])


def gradient(cell: str, weights: Weights, batch: Batch, options: Mapping[str, Any]) -> Contender:
    """Return the contender that computes loss and gradient of one set of weights."""
    given, (x, y) = _tensors(weights), time_first(batch)
    for tensor in given.values():
        tensor.requires_grad_()

    def call() -> torch.Tensor:
        for tensor in given.values():
            tensor.grad = None
        loss = CELLS[cell](given, x, y, **options)
        loss.backward()
        return loss

    def check() -> tuple[np.ndarray, ...]:
        loss = call().item()
        return np.array([loss]), np.concatenate([gradient_of(given[name]).ravel() for name in weights])

    return Contender("PyTorch autograd(loop)", call, check)


def _tensors(weights: Weights) -> Tensors:
    torch.set_num_threads(get_threads())
    return {name: torch.tensor(np.asarray(values, np.float32)) for name, values in weights.items()}


def _loss(
    w: Tensors, x: torch.Tensor, y: torch.Tensor, state: tuple[torch.Tensor, ...], step: Step
) -> torch.Tensor:
    """Return the mean squared error of a cell whose `step` gives its new state and what the readout sees."""
    total = torch.zeros(())
    for now, wanted in zip(x, y):
        state, seen = step(now, *state)
        error = torch.nn.functional.linear(seen, w["readout.W"], w["readout.b"]) - wanted
        total = total + error.square().sum()
    return total / y.numel()


def _second_order(w: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    def step(x: torch.Tensor, h: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        h = torch.sigmoid(torch.einsum("ijk,bj,bk->bi", w["W"], h, x) + w["b"])
        return (h,), h

    return _loss(w, x, y, (torch.zeros(x.shape[1], len(w["b"])),), step)


def _ctrnn(w: Tensors, x: torch.Tensor, y: torch.Tensor, method: str) -> torch.Tensor:
    assert method == "rk4"
    tau = w["log_tau"].exp()

    def step(x: torch.Tensor, v: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        drive = x @ w["W_x"].T

        def slope(u: torch.Tensor) -> torch.Tensor:
            return (torch.sigmoid(u + w["theta"]) @ w["W"].T + drive - u) / tau

        a = slope(v)
        b = slope(v + a / 2)
        c = slope(v + b / 2)
        d = slope(v + c)
        v = v + (a + 2 * b + 2 * c + d) / 6
        return (v,), torch.sigmoid(v + w["theta"])

    return _loss(w, x, y, (torch.zeros(x.shape[1], len(tau)),), step)


def _stack(w: Tensors, x: torch.Tensor, y: torch.Tensor, K: int) -> torch.Tensor:
    actions, values = w["A"].flatten(0, 1).T, w["V"].T
    sequences, hidden = x.shape[1], len(w["b"])

    def step(
        x: torch.Tensor, h: torch.Tensor, stack: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        seen = x @ w["W_x"].T + h @ w["W_h"].T + stack[:, 0] @ w["W_top"].T + stack[:, 1] @ w["W_next"].T
        h = torch.sigmoid(seen + w["b"])
        share = torch.softmax((h @ actions).unflatten(1, (K, 3)) + w["a"], dim=2)[:, None]
        top = torch.sigmoid(h @ values + w["v"])[:, None]
        pushed = torch.cat([top, stack[:, :-1]], dim=1)
        popped = torch.cat([stack[:, 1:], torch.full_like(top, -1)], dim=1)
        return (h, share[..., 0] * pushed + share[..., 1] * popped + share[..., 2] * stack), h

    start = torch.zeros(sequences, hidden), torch.full((sequences, 32, K), -1.0)
    return _loss(w, x, y, start, step)


HEADS = ["K_w", "B_w", "G_w", "S_w", "C_w", "E", "A", "K_r", "B_r", "G_r", "S_r", "C_r"]


def _ntm(w: Tensors, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    heads = torch.cat([w[name].flatten(0, -2) for name in HEADS]).T
    biases = torch.cat([w[name.lower()].flatten() for name in HEADS])
    splits = [w[name.lower()].numel() for name in HEADS]
    W, R, U, b = (torch.cat([w[f"{name}_{gate}"] for gate in "ifgo"]) for name in "WRUb")
    R = R.flatten(1)
    sequences, hidden, width, size = x.shape[1], len(w["b_i"]), R.shape[1], 32

    def step(x: torch.Tensor, h: Any, c: Any, r: Any, memory: Any, read: Any, write: Any) -> Any:
        i, f, g, o = (x @ W.T + r @ R.T + h @ U.T + b).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        parts = (h @ heads + biases).split(splits, dim=1)
        write = _address(memory, write, *parts[:5])
        erase, add = torch.sigmoid(parts[5]), torch.tanh(parts[6])
        memory = memory * (1 - write[:, :, None] * erase[:, None]) + write[:, :, None] * add[:, None]
        read = _address(memory, read, *parts[7:])
        r = torch.einsum("bn,bnm->bm", read, memory)
        return (h, c, r, memory, read, write), torch.cat([h, r], dim=1)

    first = torch.zeros(sequences, size)
    first[:, 0] = 1
    start = (
        *[torch.zeros(sequences, hidden)] * 2,
        torch.zeros(sequences, width),
        torch.full((sequences, size, width), 1e-6),
        first,
        first,
    )
    return _loss(w, x, y, start, step)


def _address(
    memory: torch.Tensor,
    before: torch.Tensor,
    key: torch.Tensor,
    strength: torch.Tensor,
    gate: torch.Tensor,
    shifts: torch.Tensor,
    sharpness: torch.Tensor,
) -> torch.Tensor:
    """Return new weights of a head (B, N)."""
    key = torch.tanh(key)
    squares = memory.square().sum(2) + 1e-6
    length = key.square().sum(1, keepdim=True) + 1e-6
    cosine = torch.einsum("bnm,bm->bn", memory, key) / torch.sqrt(squares * length)
    gate, shifts = torch.sigmoid(gate), torch.softmax(shifts, dim=1)
    by_content = torch.softmax(torch.nn.functional.softplus(strength) * cosine, dim=1)
    mixed = gate * by_content + (1 - gate) * before
    moved = shifts[:, :1] * mixed.roll(-1, 1) + shifts[:, 1:2] * mixed + shifts[:, 2:] * mixed.roll(1, 1)
    sharp = 1 + torch.nn.functional.softplus(sharpness)
    return torch.softmax(sharp * torch.log(moved.clamp(min=1e-30)), dim=1)


CELLS: dict[str, Callable[..., torch.Tensor]] = {
    "second-order": _second_order,
    "ctrnn": _ctrnn,
    "stack": _stack,
    "ntm": _ntm,
}
