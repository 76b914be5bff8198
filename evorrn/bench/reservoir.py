"""States of a reservoir on one series, and the whole fit with a ridge readout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.network.network import Network
from evorrn.strategies.reservoir.ridge import RidgeFit, ridge
from evorrn.strategies.reservoir.topology import RANDOM

STEPS, QUICK_STEPS = 10_000, 2_000
ALPHAS = tuple(np.logspace(-10, 1, 20).tolist())
ALPHA = 1e-4
"""The one penalty of the peer; with it alone both sides must find the same readout."""


@dataclass(frozen=True)
class Case:
    """A reservoir of N units with so many links into each, on one series; fitted, or run alone."""

    name: str
    units: int
    links: int
    target: Target
    fitted: bool = False
    steps: int = STEPS

    @property
    def title(self) -> str:
        """Sizes of the row."""
        kind = f"fit, {len(ALPHAS)} penalties" if self.fitted else "states"
        return f"{kind}, N {self.units}, {self.links} links, T {self.steps}"


def measure(case: Case, session: Session) -> Row:
    """Time the states or the fit, ours and the peer's."""
    if session.quick:
        case = dataclasses.replace(case, steps=min(case.steps, QUICK_STEPS))
    return _measure_fit(case, session) if case.fitted else _measure_states(case, session)


def _measure_states(case: Case, session: Session) -> Row:
    """Time both in float64, as they are used; ours in float32 stands beside it."""
    network, genome, x, _ = workload(case, "float64")
    single, lean, _, _ = workload(case, "float32")
    ours = Contender(
        "evorrn",
        lambda: network.states(genome, x[None]),
        lambda: [network.states(genome, x[None])[0]],
    )
    in_float32 = Contender("evorrn in float32", lambda: single.states(lean, x[None]))
    remarks: list[str] = []
    others = session.invite("reservoirpy", lambda peer: peer.states(network, genome, x), remarks, case.target)
    mine, (lighter, *findings) = session.contest(ours, [in_float32, *others], remarks)
    for finding in findings:
        assert finding.seconds is not None and lighter.seconds is not None
        ratio = finding.seconds.minimum / lighter.seconds.minimum
        name = f"{finding.peer}, ours in float32"
        findings = [finding, Finding(name, ratio, "x", None, finding.seconds, ours=lighter.seconds)]
    numbers = {"seconds_per_step": mine.minimum / case.steps}
    return Row(case.name, case.title, mine, findings, numbers, remarks)


def _measure_fit(case: Case, session: Session) -> Row:
    """Time states and readout together: ours for all penalties, the peer for one."""
    network, genome, x, y = workload(case, "float64")

    def fit(alphas: Sequence[float]) -> tuple[np.ndarray, RidgeFit]:
        states = network.states(genome, x[None])[0]
        return states, ridge(states, y, alphas, solver="cholesky")

    def check() -> list[np.ndarray]:
        states, found = fit((ALPHA,))
        return [np.mean(np.square(states @ found.weights.T + found.bias - y))]

    remarks: list[str] = []
    others = session.invite(
        "reservoirpy", lambda peer: peer.fit(network, genome, x, y, ALPHA), remarks, case.target
    )
    mine, findings = session.contest(Contender("evorrn", lambda: fit(ALPHAS), check), others, remarks)
    return Row(case.name, case.title, mine, findings, {}, remarks)


def workload(case: Case, dtype: str) -> tuple[Network, np.ndarray, np.ndarray, np.ndarray]:
    """Return network, genome, input series (T, 1) and target series (T, 1)."""
    rng = np.random.default_rng(0)
    network = Network(1, 1, cell="leaky", hidden=case.units, dtype=dtype)
    genome = np.zeros(network.size)
    blocks = network.unpack(genome)
    # The circular law: a radius of 0.9 without the eigenvalues, which are not what is timed.
    matrix = RANDOM.matrix(case.units, case.links, rng)
    blocks["layer0.W_h"][...] = matrix * 0.9 / np.sqrt(case.links / 3)
    blocks["layer0.W_x"][...] = rng.uniform(-0.5, 0.5, (case.units, 1))
    blocks["layer0.b"][...] = rng.uniform(-0.2, 0.2, case.units)
    x = rng.uniform(-1, 1, (case.steps, 1))
    return network, genome, x, np.roll(x, 1, axis=0) * np.roll(x, 2, axis=0)


GROUP = Group(
    "reservoir",
    "one series of T time steps through a reservoir of N units, float64",
    (
        Case("dense-100", 100, 10, Target(at_least=5)),
        Case("dense-500", 500, 50, Target(at_least=2)),
        Case("dense-1000", 1000, 100, Target(at_least=1.5)),
        Case("dense-2000", 2000, 200, Target(at_least=1.5)),
        Case("links-500", 500, 10, Target(at_least=3)),
        Case("links-1000", 1000, 10, Target(at_least=3)),
        Case("links-2000", 2000, 10, Target(at_least=3)),
        Case("fit-500", 500, 50, Target(at_least=2), fitted=True),
        Case("fit-1000", 1000, 100, Target(at_least=2), fitted=True),
    ),
    measure,
)
