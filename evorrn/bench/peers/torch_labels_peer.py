"""PyTorch's CTC, as its users call it."""

from __future__ import annotations

import numpy as np
import torch

from evorrn.bench.session import Contender
from evorrn.kernels.threads import get_threads


def ctc(logits: np.ndarray, labels: np.ndarray) -> Contender:
    """Return the contender that computes losses (B,) and their gradient (B, T, C).

    It is checked in float64: in float32 its gradient is 1e-4 off.
    """
    torch.set_num_threads(get_threads())
    x, targets = torch.tensor(logits, requires_grad=True), torch.tensor(labels)
    exact = x.detach().double().requires_grad_()
    lengths, counts = torch.full((len(x),), x.shape[1]), torch.full((len(x),), targets.shape[1])
    function = torch.nn.CTCLoss(reduction="none")

    def call(x: torch.Tensor = x) -> torch.Tensor:
        x.grad = None
        losses = function(x.log_softmax(-1).transpose(0, 1), targets, lengths, counts)
        losses.sum().backward()
        return losses

    def check() -> tuple[np.ndarray, ...]:
        losses = call(exact).detach().numpy()
        assert exact.grad is not None
        return losses, exact.grad.numpy()

    return Contender("PyTorch CTCLoss", call, check)
