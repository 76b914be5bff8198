"""Emits the program that runs a population in an environment; lanes are individuals, each with its own weights.

At each time step of a tile, all environments are observed, all networks take a step, and all environments take a
step. A lane whose episode has ended takes the next pair (individual, start) from a queue that all threads share. So
all lanes have work although episodes differ in length. Lanes are independent of each other, so results depend
neither on the other individuals of a tile nor on the thread that runs it.
"""

from __future__ import annotations

from evorrn.compile.schedule import Affine
from evorrn.compile.step import OUTPUT
from evorrn.engine.arguments import NETWORK, Arguments
from evorrn.engine.individuals.environment_loops import EnvironmentLoops
from evorrn.engine.model import Form
from evorrn.engine.program import ProgramEmitter, indent
from evorrn.engine.stages import StageWriter, equation, size, variable

OPENING = """from evorrn.engine.individuals.kernels import affine, clear_lane, cube, load_lane, local, take_number
from evorrn.engine.lanes.kernels import at, block, flat, join, take"""

SIMULATE = Arguments(
    ("first", "last"),
    "n_lanes",
    *NETWORK,
    "starts",
    "limit",
    "queue",
    "returns",
    "lengths",
    "observations",
    "actions",
    "rewards",
    "states",
)
"""The arguments of the program. A job is a thread, which takes episodes from the queue."""

RESET = '''"""Starts of the environment whose ``reset_world`` has the fingerprint {fingerprint}."""

from numba import njit


@njit(cache=True, error_model="numpy")
def fill(starts, rng):
    """Fill starts (N, states) one after the other."""
    for k in range(starts.shape[0]):
        reset_world(starts[k], rng)
'''


class _Writer(StageWriter):
    """Writes stages whose matrices have a lane for every individual."""

    def affine(self, stage: Affine, stored: frozenset[int]) -> list[str]:
        names, target = self.names, self.names[stage.node]
        parts = []
        for matrix, transposed, vector in stage.terms:
            swapped = f"{names[matrix]}.transpose((1, 0, 2))" if transposed else names[matrix]
            parts += [swapped, names[vector]]
        bias = names[stage.bias] if stage.bias is not None else "None"
        comment = f"# {target} = {equation(self.graph, stage.node, stored, names)}"
        return [comment, f"affine({target}, {bias}, ({', '.join(parts)},))"]


class IndividualsEmitter(ProgramEmitter):
    """Emits the program of a network in an environment, whose states are float64.

    The module of the program must be given the functions ``observe_world`` and ``step_world``, or ``move_world`` and
    ``judge_world`` if the step has parts.

    Parameters
    ----------
    form : Form
    loops : EnvironmentLoops
    """

    def __init__(self, form: Form, loops: EnvironmentLoops) -> None:
        about = f"The functions of the environment are those with the fingerprint {loops.fingerprint}."
        imported = (
            f"\nfrom {form.loss.module} import {form.feed}" if form.feed and form.step.feeds_back else ""
        )
        super().__init__(form, f", individuals as lanes\n\n{about}\n", OPENING + imported)
        self.loops = loops

    def simulate(self) -> str:
        """Return the source of the program."""
        writer = _Writer(self.graph, self.step, self.names, "loop")
        functions, calls = writer.write(self.plan)
        step = [f"{variable(name)} = at({variable(name)}_slots, now)" for name in self.step.states]
        step += [f"{variable(name)}_new = at({variable(name)}_slots, 1 - now)" for name in self.step.states]
        step += ["if ended > 0:", *indent(self._take_over()), "    if alive == 0:", "        break"]
        step += [self.loops.observe("x_t"), *calls, *self._record_before()]
        step += [f"ended = {self.loops.step(f'{OUTPUT}_new', 'x_t')}"]
        step += self.feed_back() if self.step.feeds_back else []
        step += ["if rewards.shape[0] > 0:", "    rewards[t] = gain[0]", "t += 1"]
        body = [*self._allocate(), "for worker in range(first, last):"]
        body += indent(
            [
                "for k in range(n_lanes):",
                "    over[k], live[k], pair[k] = 1, 1, -1",
                "t, ended, alive = 0, n_lanes, n_lanes",
            ]
        )
        body += ["    while True:", "        now = t & 1", *indent(step, 2)]
        contract = "Run one tile for each worker from first to last until the queue of pairs is empty."
        functions += self.loops.functions()
        return self.program(functions, f"simulate({SIMULATE})", contract, body)

    # --- The tile ----------------------------------------------------------------------------------

    def _allocate(self) -> list[str]:
        lines = self.unpack_sizes()
        lines += [
            "n_S, n_E = starts.shape[1], starts.shape[0]",
            "weights = np.zeros((genomes.shape[1], n_lanes), F)",
            *self.loops.allocate(),
            "x_t = np.zeros((n_I, n_lanes), F)",
            "total, gain = np.zeros(n_lanes), np.zeros(n_lanes)",
            "live, age = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
            "over, pair = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
        ]
        for k, (name, dimensions) in enumerate(self.step.weights.items()):
            view = f"block(weights, offsets[{k}], offsets[{k + 1}] - offsets[{k}])"
            if len(dimensions) == 2:
                view = f"cube(weights, offsets, {k}, {size(dimensions[0])}, {size(dimensions[1])})"
            lines.append(f"{variable(name)} = {view}")
        outside = {self.graph.outputs[name] for name in self.step.states}
        for index in sorted(self.plan.stored - outside):
            rows = size(self.graph.nodes[index].shape[0])
            lines.append(f"{self.names[index]} = np.zeros(({rows}, n_lanes), F)")
        for name, (dimension,) in self.step.states.items():
            lines.append(f"{variable(name)}_slots = np.zeros((2, {size(dimension)}, n_lanes), F)")
        return lines

    def _take_over(self) -> list[str]:
        """Return the lines that store the results of ended episodes and start new ones in their lanes."""
        lines = [
            "for k in range(n_lanes):",
            "    if over[k] == 0:",
            "        continue",
            "    if pair[k] >= 0:",
            "        sum_now = total[k]",
            "        p, e = pair[k] // n_E, pair[k] % n_E",
            "        wrong = np.nan if sum_now != sum_now else np.inf",
            "        returns[p, e] = sum_now if abs(sum_now) < np.inf else wrong",
            "        lengths[p, e] = age[k]",
            "    pair[k] = take_number(queue)",
            "    over[k], age[k], total[k] = 0, 0, 0.0",
            "    e = pair[k] % n_E  # a lane that finds the queue empty stays at a start",
            "    for i in range(n_S):",
            f"        {self.loops.state('k', 'i')} = starts[e, i]",
            "    if pair[k] >= genomes.shape[0] * n_E:",
            "        pair[k], live[k] = -1, 0",
            "        alive -= 1",
            "        continue",
            "    load_lane(weights, genomes[pair[k] // n_E], k)",
        ]
        return [*lines, *(f"    clear_lane({variable(name)}, k)" for name in self.step.states)]

    def _record_before(self) -> list[str]:
        """Return the lines that record states, observations and actions of the first lane if there is room for them."""
        return [
            "if rewards.shape[0] > 0:",
            "    for i in range(n_S):",
            f"        states[t, i] = {self.loops.state('0', 'i')}",
            "    for i in range(n_I):",
            "        observations[t, i] = x_t[i, 0]",
            "    for i in range(n_O):",
            f"        actions[t, i] = {OUTPUT}_new[i, 0]",
        ]
