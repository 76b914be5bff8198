"""Pole balancing: a population of small networks, each of which balances two poles by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.network.network import Network
from evorrn_tasks.cart_pole import CartPole
from evorrn_tasks.common.poles import FALLEN_TWO, FORCE, TRACK

PEERS = {"jax_control": ("scan", "while_loop"), "python_control": ("gymnasium",)}
"""Modules of peers, and the forms in which each plays."""

HIDDEN = 6
GAINS = (-2.14, -3.472, -56.96, -15.05, 41.29, 3.454)
"""Newtons for each unit of cart position and velocity, and of angle and angular velocity of each pole.

They are those of the linear-quadratic regulator for the motion near the upright position without friction of the
cart; squares of positions and angles weigh 1, of their rates of change and of the force 0.1.
"""

SPREAD = 0.05
"""Largest share by which an individual's gains differ from `GAINS`; all of them balance the poles for good."""

SMALL = 0.1
"""What observations are multiplied by: units stay where tanh is nearly straight."""

STEP_SECONDS = 0.02
CHECKED_STEPS = 120
"""Time steps from the start along which contenders must agree, in float64, before their whole episodes are timed.

From thereon not even float64 leads the same way: a force of 10/256 N at least, to the left or to the right by the
last digit, sways the poles for ever.
"""


@dataclass(frozen=True)
class Case:
    """Episodes of P individuals that balance two poles, whose velocities they do not see, to the end.

    Attributes
    ----------
    fitness : str
        What is rewarded, see `evorrn_tasks.cart_pole.CartPole`.
    targets : mapping of str to Target
        For the ratio to each peer that has one.
    """

    name: str
    fitness: str
    individuals: int = 256
    steps: int = 1000
    targets: Mapping[str, Target] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Sizes of the row."""
        return f"{self.fitness} fitness, elman H {HIDDEN}, P {self.individuals}, T {self.steps}"


def workload(case: Case, dtype: str = "float32") -> tuple[Network, np.ndarray, CartPole, np.ndarray]:
    """Return the network, its genomes (P, n), the environment and the start (states,) of a case."""
    rng = np.random.default_rng(0)
    environment = CartPole(poles=2, velocities=False, fitness=case.fitness, start_angle=1.0)
    network = Network(3, 1, cell="elman", hidden=HIDDEN, biases=False, loss="reward", dtype=dtype)
    gains = np.array(GAINS) * (1 + SPREAD * rng.uniform(-1, 1, (case.individuals, len(GAINS))))
    genomes = np.stack([balancing(network, own) for own in gains])
    return network, genomes.astype(np.float32).astype(dtype), environment, environment.first_start()


def balancing(network: Network, gains: np.ndarray) -> np.ndarray:
    """Return the genome (n,) of a network that balances by gains (6,), as long as nothing swings far.

    Three units hold what is seen, three what was seen a step before; the readout takes the difference of the
    two for velocities.
    """
    scale = np.array([TRACK, FALLEN_TWO, FALLEN_TWO]) / (SMALL * FORCE)
    still, moving = gains[::2] * scale, gains[1::2] * scale / STEP_SECONDS
    nothing, same = np.zeros((3, 3)), np.eye(3)
    blocks = {
        "layer0.W_x": np.block([[SMALL * same], [nothing]]),
        "layer0.W_h": np.block([[nothing, nothing], [same, nothing]]),
        "readout.W": np.concatenate([still + moving, -moving]),
    }
    return np.concatenate([blocks[name].ravel() for name in network.blocks])


def measure(case: Case, session: Session) -> Row:
    """Time the episodes of a population, ours and the peers'."""
    network, genomes, environment, start = workload(case)
    weights = {name: np.stack([network.unpack(one)[name] for one in genomes]) for name in network.blocks}
    checked_steps = min(case.steps, CHECKED_STEPS)
    remarks: list[str] = []
    others = []
    for peer, forms in PEERS.items():
        for form in forms:
            make = partial(_peer_episodes, form, case, weights, start[:6], checked_steps)
            others += session.invite(peer, make, remarks, case.targets.get(peer))

    def play() -> tuple[np.ndarray, np.ndarray]:
        return network.simulate(genomes, environment, start[None], case.steps)

    def check() -> list[np.ndarray]:
        precise, same, *_ = workload(case, "float64")
        returns, _ = precise.simulate(same, environment, start[None], checked_steps)
        states = [precise.trajectory(one, environment, start, checked_steps).states for one in same]
        return [play()[1].min(), returns[:, 0], np.stack(states)[..., :6]]

    ours = Contender("evorrn", play, check)
    mine, findings = session.contest(ours, others, remarks)
    for finding in findings:
        finding.numbers["evaluations_per_second"] = case.individuals / (finding.value * mine.minimum)
    numbers = {
        "balanced_steps": int(play()[1].min()),
        "evaluations_per_second": case.individuals / mine.minimum,
        "nanoseconds_per_step": 1e9 * mine.minimum / (case.individuals * case.steps),
    }
    return Row(case.name, case.title, mine, findings, numbers, remarks)


def _peer_episodes(
    form: str,
    case: Case,
    weights: Mapping[str, np.ndarray],
    start: np.ndarray,
    checked_steps: int,
    peer: ModuleType,
) -> Contender:
    return peer.episodes(form, case.fitness, weights, start, case.steps, checked_steps)


THRICE = {"jax_control": Target(at_least=3)}

GROUP = Group(
    "control",
    "episodes of P individuals that balance two poles for T time steps, networks in float32",
    (
        Case("two-poles", "standard", targets=THRICE),
        Case("two-poles-damping", "damping", targets=THRICE),
    ),
    measure,
)
