"""Cart-pole: one or two poles on a cart that is pushed left and right, the benchmark of neuroevolution."""

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
    upright_one,
    upright_two,
)

BALANCED, DAMPING, TOTAL, WINDOW, MEMORY = 6, 7, 8, 9, 100
"""Places in the state under the damping fitness: balanced steps, the last f2, the swings of 100 steps and their sum."""

LONG_TEST, GRID_TEST, GENERALISES = 100_000, 1000, 200
"""Steps of the long test, steps from each start of the grid, and how many of its 625 starts must succeed."""

SPREAD = (2.16, 1.35, 3.6 * DEGREE, 8.6 * DEGREE)
"""Largest cart position, cart velocity, angle and angular velocity of the long pole at a drawn start."""

VELOCITY_SCALE, SPEED_SCALE, SHORT_SPEED_SCALE = 10.0, 5.0, 16.0
"""What velocities are divided by for the network, in m/s and rad/s; positions by where an episode fails."""


@dataclass(frozen=True)
class CartPole(Environment):
    """Poles on a cart that a force of at most 10 N moves along 4.8 m of track: keep them up.

    Cart of 1 kg; a pole of 0.1 kg and 1 m, with ``poles=2`` another of 0.01 kg and 0.1 m; friction of the
    cart and the hinges. The network acts every 0.02 s, between which its force is constant; the equations
    of motion are solved by two Runge-Kutta steps of the fourth order. The force is 10 tanh(output) newtons,
    and at least 10/256 in size. An episode fails when the cart leaves the track or a pole leans more than 12
    degrees, with two poles 36. The network sees cart position and pole angles, divided by where they fail,
    and with ``velocities`` their rates of change, divided by 10 m/s, 5 rad/s and, for the short pole,
    16 rad/s; without them it has to remember.

    ``fitness="standard"``: a point for every step after which nothing has failed, so that the return is the
    number of steps balanced. ``fitness="damping"``: rewards that add up to 0.1 t / 1000 + 0.9 f2 at every
    balanced step t; f2 is 0 for t < 100, then 0.75 over the sum, along the last 100 steps, of
    ``|x| + |x'| + |a| + |a'|`` of cart and long pole, in SI units. Swinging poles earn next to nothing by it.

    The first training start has everything at rest but the long pole, which leans `start_angle` degrees.
    Further ones, and those of validation and test, are drawn uniformly from up to 2.16 m, 1.35 m/s, 3.6
    degrees and 8.6 degrees a second either way. Success: no failure up to the time limit.

    Source: Wieland 1991, "Evolving neural network controllers for unstable systems"; Gruau, Whitley and
    Pyeatt 1996, "A comparison between cellular encoding and direct encoding for genetic neural networks",
    for the damping fitness and the range of starts; Gomez, Schmidhuber and Miikkulainen 2008, "Accelerated
    neural evolution through cooperatively coevolved synapses", for the constants. Deviation: they take the
    force from a logistic output, 20 (output - 0.5), which is the same up to a factor of two in its weights.
    """

    name = "cart-pole"
    output_names = ("force",)
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
            "two poles without velocities, damping fitness, 100,000 steps and 200 of 625 starts: CoSyNE, mean",
            "Gomez, Schmidhuber and Miikkulainen 2008",
        ),
    )

    poles: int = setting(1, "poles on the cart", choices=(1, 2))
    velocities: bool = setting(True, "whether the network sees velocities")
    fitness: str = setting("standard", "what is rewarded", choices=("standard", "damping"))
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
        """Position of the cart and angle of each pole, and their rates of change if they are shown."""
        return (1 + self.poles) * (2 if self.velocities else 1)

    @property
    def states(self) -> int:
        """Six of cart and poles, and what the damping fitness remembers."""
        return WINDOW + MEMORY if self.fitness == "damping" else 6

    @property
    def reset(self) -> Any:
        """Drawn starts, see `SPREAD`."""
        return draw

    @property
    def observe(self) -> Any:
        """What is shown of the state."""
        return OBSERVE[self.poles, self.velocities]

    @property
    def step(self) -> Any:
        """Motion and reward."""
        return STEP[self.poles, self.fitness]

    @property
    def parts(self) -> Any:
        """The motion of cart and poles, and what is remembered of it for the damping fitness."""
        return PARTS[self.poles] if self.fitness == "damping" else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Of cart and poles, as `state_names`, scaled."""
        shown = self.state_names if self.velocities else self.state_names[::2]
        return tuple(name.partition(" (")[0] for name in shown)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Position and velocity of the cart, and of each pole."""
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
        """Return the state (states,) at rest with the long pole at `start_angle`."""
        state = np.zeros(self.states)
        state[ANGLE] = self.start_angle * DEGREE
        return state

    def grid_of_starts(self) -> np.ndarray:
        """Return the 625 starts (625, states) by which generalisation is judged: five values of four variables.

        Source: Gruau, Whitley and Pyeatt 1996: 0.05, 0.25, 0.5, 0.75 and 0.95 of the way through the range of
        cart position, cart velocity, angle and angular velocity of the long pole, see `SPREAD`.
        """
        shares = 2.0 * np.array([0.05, 0.25, 0.5, 0.75, 0.95]) - 1.0
        starts = np.zeros((625, self.states))
        axes = np.meshgrid(*(shares * bound for bound in SPREAD), indexing="ij")
        starts[:, : SPEED + 1] = np.stack([axis.ravel() for axis in axes], axis=1)
        return starts

    def succeeded(self, returns: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return which episodes did not fail; under the damping fitness the last step may have."""
        if self.fitness == "standard":
            return np.asarray(returns >= self.time_limit)
        return np.asarray(lengths >= self.time_limit)

    def learned(
        self, play: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]], starts: np.ndarray
    ) -> float | None:
        """Return the share of starts without failure; under the damping fitness 1 or 0, by the papers' test.

        A network that balances the time limit from the first start is tested for 100,000 steps from there, then for
        1000 steps from each of 625 starts, of which 200 must succeed.

        Source: Gruau, Whitley and Pyeatt 1996, as used by Gomez, Schmidhuber and Miikkulainen 2008.
        """
        if self.fitness == "standard":
            return super().learned(play, starts)
        first = self.first_start()[None]
        for limit in (self.time_limit, LONG_TEST):
            if play(first, limit)[1][0] < limit:
                return 0.0
        return float(np.sum(play(self.grid_of_starts(), GRID_TEST)[1] >= GRID_TEST) >= GENERALISES)

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network without biases, which have nothing to do where left and right are alike."""
        network = {"cell": "elman", "hidden": 3 if self.velocities else 5, "biases": False}
        return Recommended(network, {"mutation_size": 1.0} if strategy == "ga" else {})


@compiled
def draw(state: np.ndarray, rng: np.random.Generator) -> None:
    """A start within `SPREAD`."""
    for place in range(len(state)):
        state[place] = 0.0
    state[POSITION] = SPREAD[POSITION] * rng.uniform(-1.0, 1.0)
    state[VELOCITY] = SPREAD[VELOCITY] * rng.uniform(-1.0, 1.0)
    state[ANGLE] = SPREAD[ANGLE] * rng.uniform(-1.0, 1.0)
    state[SPEED] = SPREAD[SPEED] * rng.uniform(-1.0, 1.0)


@compiled
def observe_one(state: np.ndarray, observation: np.ndarray) -> None:
    """One pole, with velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[VELOCITY] / VELOCITY_SCALE
    observation[2] = state[ANGLE] / FALLEN_ONE
    observation[3] = state[SPEED] / SPEED_SCALE


@compiled
def observe_one_still(state: np.ndarray, observation: np.ndarray) -> None:
    """One pole, without velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[ANGLE] / FALLEN_ONE


@compiled
def observe_two(state: np.ndarray, observation: np.ndarray) -> None:
    """Two poles, with velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[VELOCITY] / VELOCITY_SCALE
    observation[2] = state[ANGLE] / FALLEN_TWO
    observation[3] = state[SPEED] / SPEED_SCALE
    observation[4] = state[SHORT_ANGLE] / FALLEN_TWO
    observation[5] = state[SHORT_SPEED] / SHORT_SPEED_SCALE


@compiled
def observe_two_still(state: np.ndarray, observation: np.ndarray) -> None:
    """Two poles, without velocities."""
    observation[0] = state[POSITION] / TRACK
    observation[1] = state[ANGLE] / FALLEN_TWO
    observation[2] = state[SHORT_ANGLE] / FALLEN_TWO


@compiled
def damping_reward(state: np.ndarray) -> float:
    """Return what one more balanced step adds to the damping fitness."""
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
    """One pole, one point for every step that it stays up."""
    move_one(state, action)
    inside = upright_one(state)
    return 1.0 if inside else 0.0, not inside


@compiled
def step_two(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Two poles, one point for every step that they stay up."""
    move_two(state, action)
    inside = upright_two(state)
    return 1.0 if inside else 0.0, not inside


@compiled
def judge_one(state: np.ndarray) -> tuple[float, bool]:
    """One pole under the damping fitness, after it has moved."""
    inside, gain = upright_one(state), damping_reward(state)
    return gain if inside else 0.0, not inside


@compiled
def judge_two(state: np.ndarray) -> tuple[float, bool]:
    """Two poles under the damping fitness, after they have moved."""
    inside, gain = upright_two(state), damping_reward(state)
    return gain if inside else 0.0, not inside


@compiled
def step_one_damping(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """One pole under the damping fitness."""
    move_one(state, action)
    return judge_one(state)


@compiled
def step_two_damping(state: np.ndarray, action: np.ndarray) -> tuple[float, bool]:
    """Two poles under the damping fitness."""
    move_two(state, action)
    return judge_two(state)


OBSERVE = {
    (1, True): observe_one,
    (1, False): observe_one_still,
    (2, True): observe_two,
    (2, False): observe_two_still,
}
STEP = {
    (1, "standard"): step_one,
    (2, "standard"): step_two,
    (1, "damping"): step_one_damping,
    (2, "damping"): step_two_damping,
}
PARTS = {1: (6, move_one, judge_one), 2: (6, move_two, judge_two)}
