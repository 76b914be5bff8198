"""Reservoirs that adapt step by step, Lyapunov exponents, associative recall, and the two solvers of a readout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evorrn.associative import Hopfield
from evorrn.bench import reservoir as reservoirs
from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.diagnostics.lyapunov import lyapunov_spectrum
from evorrn.network.network import Network
from evorrn.strategies.reservoir.plasticity import adapt_intrinsic
from evorrn.strategies.reservoir.recursion import least_squares
from evorrn.strategies.reservoir.ridge import ridge
from evorrn.strategies.reservoir.topology import RANDOM
from evorrn.strategies.reservoir.units import sparse_rows

ALPHAS = tuple(np.logspace(-10, 1, 20).tolist())
LINKS, RATE, DEVIATION = 10, 1e-4, 0.3


@dataclass(frozen=True)
class Case:
    """N units over T time steps, or T cues."""

    name: str
    units: int
    steps: int
    target: Target
    run: Callable[[Case, Session, list[str]], Row]
    what: str

    @property
    def title(self) -> str:
        """What is timed, with the sizes."""
        return f"{self.what}, N {self.units}, T {self.steps}"


def measure(case: Case, session: Session) -> Row:
    """Time ours and the peers'."""
    return case.run(case, session, [])


def _row(case: Case, session: Session, ours: Contender, others: list[Contender], remarks: list[str]) -> Row:
    mine, findings = session.contest(ours, others, remarks)
    return Row(
        case.name, case.title, mine, findings, {"seconds_per_step": mine.minimum / case.steps}, remarks
    )


def _recursive(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time recursive least squares on given features, an update at every step."""
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(case.steps, case.units)))
    y = x[:, :1] * x[:, 1:2] + 0.1 * rng.normal(size=(case.steps, 1))

    def call() -> np.ndarray:
        weights = np.zeros((1, case.units))
        least_squares(x, y, weights, np.eye(case.units), 1.0, 1)
        return weights

    others = session.invite("reservoirpy", lambda peer: peer.recursive(x, y), remarks, case.target)
    return _row(case, session, Contender("evorrn", call, lambda: [call()]), others, remarks)


def _plasticity(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time intrinsic plasticity of tanh units without leak and bias over one series."""
    rng = np.random.default_rng(0)
    matrix = 0.9 / np.sqrt(LINKS / 3) * RANDOM.matrix(case.units, LINKS, rng)
    weights, x = rng.uniform(-0.5, 0.5, (case.units, 1)), rng.uniform(-1, 1, (case.steps, 1))
    linked, ones, zeros = sparse_rows(matrix), np.ones(case.units), np.zeros(case.units)

    def call() -> tuple[np.ndarray, np.ndarray]:
        gain, bias = ones.copy(), zeros.copy()
        adapt_intrinsic(
            x @ weights.T, linked, (zeros, zeros, ones, 0, False), gain, bias, (RATE, 0.0, DEVIATION)
        )
        return gain, bias

    rule = RATE, 0.0, DEVIATION
    others = session.invite(
        "reservoirpy", lambda peer: peer.plasticity(matrix, weights, x, rule), remarks, case.target
    )
    return _row(case, session, Contender("evorrn", call, call), others, remarks)


def _exponents(case: Case, session: Session, remarks: list[str], density: float = 1.0) -> Row:
    """Time 20 Lyapunov exponents of an Elman network along one series, compiling not counted."""
    rng = np.random.default_rng(0)
    network = Network(1, 1, hidden=case.units, dtype="float64")
    blocks = network.unpack(np.zeros(network.size))
    matrix = rng.normal(size=(case.units, case.units)) * (rng.random((case.units, case.units)) < density)
    blocks["layer0.W_h"][...] = 1.5 / np.sqrt(density * case.units) * matrix
    blocks["layer0.W_x"][...] = 0.1
    genome, x = network.pack(blocks), rng.uniform(-1, 1, (1, case.steps, 1))
    count = min(20, case.units)

    def call() -> np.ndarray:
        return lyapunov_spectrum(network, genome, x, count, washout=0)

    others: list[Contender] = []
    for every, sparse in ((1, False), (10, False), (1, True), (10, True)):
        if sparse <= (density < 1):
            target = case.target if every == 1 and not sparse else None
            options = {"every": every, "sparse": sparse}
            others += session.invite(
                "numpy",
                lambda peer, options=options: peer.lyapunov_exponents(blocks, x[0], count, **options),  # type: ignore[misc]
                remarks,
                target,
            )
    return _row(case, session, Contender("evorrn", call), others, remarks)


def _sparse_exponents(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time them where a tenth of the recurrent weights is not zero, as in the reservoirs of reservoirpy."""
    return _exponents(case, session, remarks, density=0.1)


def _recall(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time the recall of T cues of 50 patterns, a fifth of whose units are wrong, one unit at a time."""
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (max(case.units // 20, 1), case.units))
    memory = Hopfield(case.units).store(patterns)
    cues = patterns[rng.integers(len(patterns), size=case.steps)]
    cues = np.where(rng.random(cues.shape) < 0.2, -cues, cues)

    def call() -> np.ndarray:
        return memory.recall(cues, order="fixed").states

    others = session.invite(
        "numpy", lambda peer: peer.associative_recall(memory.weights, cues), remarks, case.target
    )
    return _row(case, session, Contender("evorrn", call, lambda: [call()]), others, remarks)


def _solvers(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time a readout over a grid of penalties from the rows themselves, and from their Gram matrix."""
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(case.steps, case.units)))
    y = x[:, :1] + rng.normal(size=(case.steps, 1))

    def fit(solver: str) -> list[np.ndarray]:
        return [ridge(x, y, ALPHAS, solver=solver).weights]

    gram = Contender("evorrn, cholesky", lambda: fit("cholesky"), lambda: fit("cholesky"), target=case.target)
    ours = Contender("evorrn", lambda: fit("svd"), lambda: fit("svd"))
    return _row(case, session, ours, [gram], remarks)


def _whole_fits(case: Case, session: Session, remarks: list[str]) -> Row:
    """Time the same with the states, as in a whole fit."""
    reservoir = reservoirs.Case("", case.units, max(case.units // 10, 1), case.target, True, case.steps)
    network, genome, x, y = reservoirs.workload(reservoir, "float64")

    def fit(solver: str) -> list[np.ndarray]:
        states = network.states(genome, x[None])[0]
        return [states @ ridge(states, y, ALPHAS, solver=solver).weights[0]]

    gram = Contender("evorrn, cholesky", lambda: fit("cholesky"), target=case.target)
    return _row(case, session, Contender("evorrn", lambda: fit("svd")), [gram], remarks)


GROUP = Group(
    "adaptation",
    "rules that change a reservoir at every step, and what is computed of networks; float64",
    (
        Case("rls-500", 500, 2000, Target(at_least=3), _recursive, "recursive least squares at every step"),
        Case("plasticity-500", 500, 2000, Target(at_least=3), _plasticity, "intrinsic plasticity"),
        Case("lyapunov-300", 300, 12_000, Target(at_least=5), _exponents, "20 Lyapunov exponents"),
        Case(
            "lyapunov-sparse-300",
            300,
            12_000,
            Target(at_least=5),
            _sparse_exponents,
            "20 Lyapunov exponents, 10 % dense",
        ),
        Case("hopfield-1000", 1000, 1000, Target(at_least=10), _recall, "recall of T cues"),
        Case("svd-500", 500, 10_000, Target(at_least=1 / 1.5), _solvers, "readout by SVD, 20 penalties"),
        Case("svd-fit-500", 500, 10_000, Target(at_least=1 / 1.5), _whole_fits, "states and this readout"),
    ),
    measure,
)
