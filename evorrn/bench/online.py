"""Gradients carried forward in time along one series: real-time recurrent learning and its sparse approximation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.bench.group import Group
from evorrn.bench.peers.weights import Weights, compared, weights_of
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.kernels.threads import get_threads, set_threads
from evorrn.network.network import Network
from evorrn.strategies.find import make_strategy
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.training.problem import Problem


@dataclass(frozen=True)
class Case:
    """The gradient of one series of T time steps, without updates.

    Attributes
    ----------
    name : str
    strategy, cell : str
    hidden, steps : int
    product, expert, both, alone : float
        The least ratios to NumPy's product of that size, and to the three forms of JAX; 0 for none.
    forward, back : float
        The most that it may take of our own forward pass, and of our backpropagation through time; 0 for none.
    traced : float
        The least ratio to braintrace's SnAp of order 1; 0 for none.
    two : float
        The least ratio of two threads to one; 0 for none. Without it all of ours is on one thread.
    """

    name: str
    strategy: str
    cell: str
    hidden: int
    steps: int
    product: float = 0
    expert: float = 0
    both: float = 0
    alone: float = 0
    forward: float = 0
    back: float = 0
    traced: float = 0
    two: float = 0

    @property
    def title(self) -> str:
        """What is timed, with the sizes."""
        threads = "two threads" if self.two else "one thread"
        return f"{self.strategy}, {self.cell} H {self.hidden}, I 1, O 1, T {self.steps}, {threads}"


@dataclass(frozen=True)
class SingleSteps:
    """Steps with the derivatives of their outputs one call each, beside the same steps in one call.

    Attributes
    ----------
    hidden, steps : int
    beyond : float
        The most seconds that a call of one step may take longer than a step of many.
    """

    hidden: int
    steps: int
    beyond: float

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"single-step-elman-{self.hidden}"

    @property
    def title(self) -> str:
        """What is timed, with the sizes."""
        return f"steps one by one, elman H {self.hidden}, I 1, O 1, T {self.steps}, one thread"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, a genome (n,) and the series of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(1, 1, cell=case.cell, hidden=case.hidden)
    inputs, targets = rng.standard_normal((2, 1, case.steps, 1)).astype(np.float32)
    return network, network.init(rng=rng), Batch(inputs, targets)


def measure(case: Case | SingleSteps, session: Session) -> Row:
    """Time the gradient of the series, ours and the others', or single steps."""
    return _single_steps(case, session) if isinstance(case, SingleSteps) else _gradient(case, session)


def _single_steps(case: SingleSteps, session: Session) -> Row:
    """Time steps below the level of `Problem`: what a call takes beyond its arithmetic."""
    network, genome, batch = workload(Case(case.name, "rtrl", "elman", case.hidden, case.steps))
    step = network.stepper(genome, network.first_state[None])
    strategy, problem = make_strategy("rtrl", {"update_every": case.steps}), Problem(network, batch)
    assert isinstance(strategy, OnlineStrategy)
    series, rng = np.ascontiguousarray(batch.inputs[0, :, None]), np.random.default_rng(0)

    def one_by_one() -> None:
        for x in series:
            step(genome, x)

    many = Contender(
        "evorrn, the same steps in one call", _alone(lambda: strategy.gradient(problem, genome, rng))
    )
    remarks: list[str] = []
    mine, (found,) = session.contest(Contender("evorrn", _alone(one_by_one)), [many], remarks)
    assert found.seconds is not None
    beyond = (mine.minimum - found.seconds.minimum) / case.steps
    finding = Finding("beyond its arithmetic", beyond, "s", Target(at_most=case.beyond), found.seconds)
    return Row(
        case.name, case.title, mine, [finding], {"seconds_per_step": mine.minimum / case.steps}, remarks
    )


def _gradient(case: Case, session: Session) -> Row:
    """Time the gradient of the series, ours and the others'."""
    network, genome, batch = workload(case)
    strategy = make_strategy(case.strategy, {"update_every": case.steps})
    assert isinstance(strategy, OnlineStrategy)
    problem, rng = Problem(network, batch), np.random.default_rng(0)

    def gradient() -> tuple[float, np.ndarray]:
        return strategy.gradient(problem, genome, rng)

    def check() -> tuple[np.ndarray, np.ndarray]:
        loss, found = gradient()
        return compared(loss, weights_of(network, found))

    forms = [(case.expert, "expert"), (case.both, "jacrev"), (case.alone, "jacfwd")]
    peers = case.traced or any(bound for bound, _ in forms)
    ours = Contender("evorrn", gradient if case.two else _alone(gradient), check if peers else None)
    remarks: list[str] = []
    others = [contender for bound, contender in _own(case, network, genome, batch) if bound]
    if case.two:
        others.append(Contender("evorrn, one thread", _alone(gradient), target=Target(at_least=case.two)))
    for bound, form in forms:
        if bound:
            weights = weights_of(network, genome)

            def make(peer: ModuleType, form: str = form, weights: Weights = weights) -> Contender:
                return peer.contender(form, case.cell, weights, batch)

            others += session.invite("jax_online", make, remarks, Target(at_least=bound))
    if case.traced:
        weights = weights_of(network, genome)
        others += session.invite(
            "braintrace_online",
            lambda peer: peer.contender(1, weights, batch),
            remarks,
            Target(at_least=case.traced),
        )
    mine, findings = session.contest(ours, others, remarks)
    numbers = {"seconds_per_step": mine.minimum / case.steps}
    return Row(case.name, case.title, mine, findings, numbers, remarks)


def _own(case: Case, network: Network, genome: np.ndarray, batch: Batch) -> list[tuple[float, Contender]]:
    """Return what ours is set against without a peer, each with its bound: one product a step, and passes of ours."""
    rng, rows = np.random.default_rng(0), network.state_size
    matrix = rng.standard_normal((rows, case.hidden)).astype(np.float32)
    influence = rng.standard_normal((case.hidden, network.size - case.hidden - 1)).astype(np.float32)
    result = np.empty((rows, influence.shape[1]), np.float32)

    def products() -> None:
        for _ in range(case.steps):
            np.dot(matrix, influence, out=result)

    product = Contender(
        "np.dot, one product a step",
        _alone(products),
        unit="of its rate",
        target=Target(at_least=case.product),
    )
    forward = Contender(
        "evorrn, forward",
        _alone(lambda: network.predict(genome, batch.inputs)),
        unit="of its rate",
        target=Target(at_least=1 / case.forward) if case.forward else None,
    )
    back = Contender(
        "evorrn, bptt",
        _alone(lambda: network.loss_and_gradient(genome, batch)),
        target=Target(at_least=1 / case.back) if case.back else None,
    )
    return [(case.product, product), (case.forward, forward), (case.back, back)]


def _alone(call: Callable[[], object]) -> Callable[[], object]:
    """Return a function that runs on one thread of ours and of NumPy's."""

    def run() -> object:
        threads = get_threads()
        set_threads(1)
        try:
            with one_thread():
                return call()
        finally:
            set_threads(threads)

    return run


GROUP = Group(
    "online",
    "gradient carried forward along one series, float32",
    (
        Case("rtrl-elman-16", "rtrl", "elman", 16, 2000, product=0.4, expert=1.25, both=1.6, alone=10),
        Case("rtrl-elman-32", "rtrl", "elman", 32, 400, product=0.7, expert=1.25, both=1.6, alone=10),
        Case("rtrl-elman-64", "rtrl", "elman", 64, 60, product=0.8, expert=1.25, both=1.6),
        Case("rtrl-lstm-32", "rtrl", "lstm", 32, 100, product=0.7, both=1.6),
        Case("rtrl-elman-64-threads", "rtrl", "elman", 64, 60, two=1.7),
        SingleSteps(16, 2000, 2e-6),
        Case("rtrl-indrnn-32", "rtrl", "indrnn", 32, 2000, forward=1.8),
        Case("snap-elman-32", "snap", "elman", 32, 2000, forward=2.7, back=0.45, traced=7),
        Case("snap-elman-128", "snap", "elman", 128, 500, forward=2.7, back=0.45, traced=7),
    ),
    measure,
)
