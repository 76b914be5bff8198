"""CTC, the loss of labels at unknown time steps, with its gradient with respect to the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.losses.ctc import CTC

PEERS = ("torch_labels",)
TARGET = Target(at_least=3.5)


@dataclass(frozen=True)
class Case:
    """B sequences of T time steps over C classes, with U labels each."""

    sequences: int
    steps: int
    classes: int
    labels: int

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"ctc-{self.sequences}"

    @property
    def title(self) -> str:
        """Sizes of the row."""
        return f"C {self.classes}, T {self.steps}, B {self.sequences}, {self.labels} labels"


def workload(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (B, T, C) in float32, and labels (B, U)."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((case.sequences, case.steps, case.classes), np.float32)
    return logits, rng.integers(1, case.classes, (case.sequences, case.labels))


def measure(case: Case, session: Session) -> Row:
    """Time the losses and their gradient, ours and the peers'."""
    logits, labels = workload(case)
    loss, lengths = CTC(), np.full(case.sequences, case.steps)
    ours = Contender(
        "evorrn", lambda: loss(logits, list(labels), lengths), lambda: loss(logits, list(labels), lengths)
    )
    return session.against(case, ours, lambda peer: peer.ctc(logits, labels), dict.fromkeys(PEERS, TARGET))


GROUP = Group(
    "labels",
    "CTC losses of a batch and their gradient with respect to the logits, float32",
    (Case(32, 200, 40, 30), Case(256, 100, 30, 15)),
    measure,
)
