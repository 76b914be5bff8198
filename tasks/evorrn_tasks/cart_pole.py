"""Cart-pole: balance one or two poles on a cart by pushing it, the standard benchmark of neuroevolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.environment import Environment, Starts
from evorrn.data.task import Recommended, Reference
from evorrn_tasks.common.poles import (
    ANGLE,
    DEGREE,
    FALLEN_ONE,
    FALLEN_TWO,
    POSITION,
    SHORT_ANGLE,
    SHORT_SPEED,
    SPEED,
    TRACK,
    VELOCITY,
    compiled,
    move_one,
    move_two,
    within_limits_one,
    within_limits_two,
)

BALANCED, DAMPING, TOTAL, WINDOW, MEMORY = 6, 7, 8, 9, 100
"""Indices in the state with the damping fitness, and the number of steps that f2 sums over.

They are the balanced steps, the last f2, the sum of the last 100 motions, and the first of these motions.
"""

LONG_TEST, GRID_TEST, GENERALISES = 100_000, 1000, 200
"""Steps of the long test, steps from each start of the grid, and the number of its 625 starts that must succeed."""

SPREAD = (2.16, 1.35, 3.6 * DEGREE, 8.6 * DEGREE)
"""Largest cart position, cart velocity, angle and angular velocity of the long pole at a drawn start."""

VELOCITY_SCALE, SPEED_SCALE, SHORT_SPEED_SCALE = 10.0, 5.0, 16.0
"""Velocities in observations are divided by these, in m/s and rad/s; positions by their limits."""


@dataclass(frozen=True)
class CartPole(Environment):
    """One or two poles on a cart on 4.8 m of track, to be balanced by pushing the cart with at most 10 N.

    The cart has 1 kg; a pole has 0.1 kg and 1 m, with ``poles=2`` the second has 0.01 kg and 0.1 m; cart and
    hinges have friction. The network chooses a force every 0.02 s; the equations of motion are solved by two
    Runge-Kutta steps of order 4 for each. The force is 10 tanh(output) newtons, and its size is at least
    10/256 N. An episode fails when the cart leaves the track or a pole leans more than 12 degrees (36 degrees
    with two poles). The network sees the cart position and pole angles, divided by these limits, and with
    ``velocities`` their rates of change, divided by 10 m/s, 5 rad/s and, for the short pole, 16 rad/s. Without
    velocities it needs memory.

    ``fitness="standard"``: reward 1 for every step without failure, so that the return is the number of steps
    balanced. ``fitness="damping"``: rewards whose sum is 0.1 t / 1000 + 0.9 f2 after t balanced steps; f2 is 0
    for t < 100, then 0.75 divided by the sum, over the last 100 steps, of ``|x| + |x'| + |a| + |a'|`` of cart
    and long pole, in SI units. It is almost 0 for poles that swing.

    In the first training start the long pole leans `start_angle` degrees and nothing else differs from 0.
    All other starts are drawn uniformly from up to 2.16 m, 1.35 m/s, 3.6 degrees and 8.6 degrees per second in
    both directions. Success: no failure up to the time limit.

    The budget ``learned`` with the damping fitness: a network that balances up to the time limit from the first
    start is tested for 100,000 steps from there. With ``criterion="generalisation"`` it is then tested for 1000
    steps from each of 625 starts, of which 200 must succeed (Gruau, Whitley and Pyeatt 1996); with
    ``criterion="long"`` the 100,000 steps are enough (Gomez, Schmidhuber and Miikkulainen 2008, section 5.5.2).

    Source: Wieland 1991, "Evolving neural network controllers for unstable systems"; Gruau, Whitley and
    Pyeatt 1996, "A comparison between cellular encoding and direct encoding for genetic neural networks",
    for the damping fitness and the range of starts; Gomez, Schmidhuber and Miikkulainen 2008, "Accelerated
    neural evolution through cooperatively coevolved synapses", for the constants. Deviation: they take the
    force from a logistic output, 20 (output - 0.5), which is the same up to a factor of two in its weights.
    """

    name = "cart-pole"
    output_names = ("force (10 N)",)
    actions = 1
    metrics = ("return", "steps", "success")
    references = (
        Reference(
            895,
            "evaluations until solved",
            "two poles with velocities, 100,000 steps from one start: CMA-ES, mean",
            "Igel 2003, as given by Gomez, Schmidhuber and Miikkulainen 2008",
        ),
        Reference(
            3416,
            "evaluations until solved",
            "two poles without velocities, damping fitness, criterion long: CoSyNE, mean",
            "Gomez, Schmidhuber and Miikkulainen 2008",
        ),
    )

    poles: int = setting(1, "poles on the cart", choices=(1, 2))
    velocities: bool = setting(True, "whether the network sees velocities")
    fitness: str = setting("standard", "definition of the reward", choices=("standard", "damping"))
    criterion: str = setting(
        "generalisation",
        "with the damping fitness, what a network must do to have learned: 100,000 steps from the first start "
        "(long), and then also 1000 steps from 200 of 625 other starts (generalisation)",
        choices=("generalisation", "long"),
        absent="generalisation",
    )
    start_angle: float = setting(
        4.0, "degrees that the long pole leans at the first training start", minimum=-36, maximum=36
    )
    time_limit: int = setting(
        1000, "time steps of 0.02 s until the episode ends; 100,000 in the papers", minimum=1
    )
    train: int = setting(1, "training starts", minimum=1)
    valid: int = setting(20, "validation starts", minimum=1)
    test: int = setting(100, "test starts", minimum=1)

    @property
    def observations(self) -> int:
        """Number of observations: cart position and pole angles, and with `velocities` their rates of change."""
        return (1 + self.poles) * (2 if self.velocities else 1)

    @property
    def states(self) -> int:
        """Numbers in the state: six of cart and poles, and with the damping fitness those it needs."""
        return WINDOW + MEMORY if self.fitness == "damping" else 6

    @property
    def reset(self) -> Any:
        """The function that draws a start, see `SPREAD`."""
        return draw

    @property
    def observe(self) -> Any:
        """The function that computes the observation."""
        return OBSERVE[self.poles, self.velocities]

    @property
    def step(self) -> Any:
        """The function of one step: the motion and its reward."""
        return STEP[self.poles, self.fitness]

    @property
    def parts(self) -> Any:
        """With the damping fitness: the motion of cart and poles, and the reward, as separate functions."""
        return PARTS[self.poles] if self.fitness == "damping" else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names in `state_names` that are observed, without units, because they are scaled."""
        shown = self.state_names if self.velocities else self.state_names[::2]
        return tuple(name.partition(" (")[0] for name in shown)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of position and velocity of the cart and of each pole."""
        cart = ("position (m)", "velocity (m/s)")
        poles = ("angle (rad)", "angular velocity (rad/s)")
        if self.poles == 1:
            return cart + poles
        return cart + tuple(f"{size} pole {name}" for size in ("long", "short") for name in poles)

    def arrange_starts(self, starts: Starts) -> Starts:
        """Return the drawn starts, the first training start replaced by the one of the papers."""
        starts.train[0] = self.first_start()
        return starts

    def first_start(self) -> np.ndarray:
        """Return the state (states,) without motion and with the long pole at `start_angle`."""
        state = np.zeros(self.states)
        state[ANGLE] = self.start_angle * DEGREE
        return state

    def grid_of_starts(self) -> np.ndarray:
        """Return the 625 starts (625, states) of the test of generalisation: five values of four variables.

        Source: Gruau, Whitley and Pyeatt 1996: 0.05, 0.25, 0.5, 0.75 and 0.95 of the range of cart position,
        cart velocity, angle and angular velocity of the long pole, see `SPREAD`.
        """
        shares = 2.0 * np.array([0.05, 0.25, 0.5, 0.75, 0.95]) - 1.0
        starts = np.zeros((625, self.states))
        axes = np.meshgrid(*(shares * bound for bound in SPREAD), indexing="ij")
        starts[:, : SPEED + 1] = np.stack([axis.ravel() for axis in axes], axis=1)
        return starts

    def succeeded(self, returns: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return which episodes did not fail; with the damping fitness failure in the last step is ignored."""
        if self.fitness == "standard":
            return np.asarray(returns >= self.time_limit)
        return np.asarray(lengths >= self.time_limit)

    def learned(
        self, play: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]], starts: np.ndarray
    ) -> float | None:
        """Return the share of starts without failure; with the damping fitness 1 or 0 by the `criterion`."""
        if self.fitness == "standard":
            return super().learned(play, starts)
        first = self.first_start()[None]
        for limit in (self.time_limit, LONG_TEST):
            if play(first, limit)[1][0] < limit:
                return 0.0
        if self.criterion == "long":
            return 1.0
        return float(np.sum(play(self.grid_of_starts(), GRID_TEST)[1] >= GRID_TEST) >= GENERALISES)

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network without biases, because the problem is symmetric between left and right."""
        network = {"cell": "elman", "hidden": 3 if self.velocities else 5, "biases": False}
        return Recommended(network, {"mutation_size": 1.0} if strategy == "ga" else {})


@compiled
def draw(state: np.ndarray, rng: np.random.Generator) -> None:
    """Write a start within `SPREAD` into a state."""
    for place in range(len(state)):
        state[place] = 0.0
    state[POSITION] = SPREAD[POSITION] * rng.uniform(-1.0, 1.0)
    state[VELOCITY] = SPREAD[VELOCITY] * rng.uniform(-1.0, 1.0)
    state[ANGLE] = SPREAD[ANGLE] * rng.uniform(-1.0, 1.0)
    state[SPEED] = SPREAD[SPEED] * rng.uniform(-1.0, 1.0)


@compiled
def observe_one(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (4,) of one pole, with velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[VELOCITY] / VELOCITY_SCALE
    observation[2] = state[ANGLE] / FALLEN_ONE
    observation[3] = state[SPEED] / SPEED_SCALE


@compiled
def observe_one_without_velocities(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (2,) of one pole, without velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[ANGLE] / FALLEN_ONE


@compiled
def observe_two(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (6,) of two poles, with velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[VELOCITY] / VELOCITY_SCALE
    observation[2] = state[ANGLE] / FALLEN_TWO
    observation[3] = state[SPEED] / SPEED_SCALE
    observation[4] = state[SHORT_ANGLE] / FALLEN_TWO
    observation[5] = state[SHORT_SPEED] / SHORT_SPEED_SCALE


@compiled
def observe_two_without_velocities(state: np.ndarray, observation: np.ndarray) -> None:
    """Write the observation (3,) of two poles, without velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[ANGLE] / FALLEN_TWO
    observation[2] = state[SHORT_ANGLE] / FALLEN_TWO


@compiled
def damping_reward(state: np.ndarray) -> float:
    """Return the reward of one more balanced step with the damping fitness."""
    newest = abs(state[POSITION]) + abs(state[VELOCITY]) + abs(state[ANGLE]) + abs(state[SPEED])
    place = WINDOW + int(state[BALANCED]) % MEMORY
    total = state[TOTAL] + newest - state[place]
    state[TOTAL], state[place] = total, newest
    state[BALANCED] += 1.0
    damping = 0.75 / total if state[BALANCED] >= MEMORY else 0.0
    gain = 0.1 / 1000.0 + 0.9 * (damping - state[DAMPING])
    state[DAMPING] = damping
    return gain


@compiled
def step_one(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Move one pole; return 1 while it is balanced, and whether it has failed."""
    move_one(state, action)
    inside = within_limits_one(state)
    return 1.0 if inside else 0.0, not inside


@compiled
def step_two(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Move two poles; return 1 while they are balanced, and whether they have failed."""
    move_two(state, action)
    inside = within_limits_two(state)
    return 1.0 if inside else 0.0, not inside


@compiled
def reward_one(state: np.ndarray) -> tuple[float, bool]:
    """Return the reward of one pole after its motion, and whether it has failed, with the damping fitness."""
    inside, gain = within_limits_one(state), damping_reward(state)
    return gain if inside else 0.0, not inside


@compiled
def reward_two(state: np.ndarray) -> tuple[float, bool]:
    """Return the reward of two poles after their motion, and whether they have failed, with the damping fitness."""
    inside, gain = within_limits_two(state), damping_reward(state)
    return gain if inside else 0.0, not inside


@compiled
def step_one_damping(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Move one pole; return its reward and whether it has failed, with the damping fitness."""
    move_one(state, action)
    return reward_one(state)


@compiled
def step_two_damping(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Move two poles; return their reward and whether they have failed, with the damping fitness."""
    move_two(state, action)
    return reward_two(state)


OBSERVE = {
    (1, True): observe_one,
    (1, False): observe_one_without_velocities,
    (2, True): observe_two,
    (2, False): observe_two_without_velocities,
}
STEP = {
    (1, "standard"): step_one,
    (2, "standard"): step_two,
    (1, "damping"): step_one_damping,
    (2, "damping"): step_two_damping,
}
PARTS = {1: (6, move_one, reward_one), 2: (6, move_two, reward_two)}
