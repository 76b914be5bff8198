"""The emitted program that lets a population act: lanes are individuals, each with its own weights.

A tile of lanes runs time step after time step: all worlds are observed, all networks move, all worlds
move. A lane whose episode has ended takes the next pair (individual, start) from a queue that all threads
share, so that lanes stay busy although episodes differ in length. No lane sees another, so results
depend neither on who shares a tile nor on which thread runs it.
"""

from __future__ import annotations

from evorrn.compile.schedule import Affine
from evorrn.compile.step import OUTPUT
from evorrn.engine.arguments import NETWORK, Arguments
from evorrn.engine.individuals.moving import World
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
"""The arguments of the program: its jobs are its threads, which take episodes from a queue."""

RESET = '''"""Starts of the environment whose ``reset_world`` has the fingerprint {fingerprint}."""

from numba import njit


@njit(cache=True, error_model="numpy")
def fill(starts, rng):
    """Fill the states (N, states), one after the other."""
    for k in range(starts.shape[0]):
        reset_world(starts[k], rng)
'''


class _Writer(StageWriter):
    """Stages whose matrices have a lane for every individual."""

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
    """Emits the program of a network in an environment, whose world is float64.

    The module needs among its names the functions ``observe_world`` and ``step_world``, or ``move_world`` and
    ``judge_world`` of a world in parts.

    Parameters
    ----------
    form : Form
    world : World
    """

    def __init__(self, form: Form, world: World) -> None:
        about = f"The functions of the world are those with the fingerprint {world.fingerprint}."
        super().__init__(form, f", individuals as lanes\n\n{about}\n", OPENING)
        self.world = world

    def simulate(self) -> str:
        """Return the source of the program."""
        writer = _Writer(self.graph, self.step, self.names, "loop", rowwise=False)
        functions, calls = writer.write(self.plan)
        step = [f"{variable(name)} = at({variable(name)}_slots, now)" for name in self.step.states]
        step += [f"{variable(name)}_new = at({variable(name)}_slots, 1 - now)" for name in self.step.states]
        step += ["if ended > 0:", *indent(self._take_over()), "    if alive == 0:", "        break"]
        step += [self.world.observe("x_t"), *calls, *self._record_before()]
        step += [f"ended = {self.world.move(f'{OUTPUT}_new')}"]
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
        contract = "Let workers first to last run a tile each until the queue of pairs is empty."
        functions += self.world.functions()
        return self.program(functions, f"simulate({SIMULATE})", contract, body)

    # --- The tile ----------------------------------------------------------------------------------

    def _allocate(self) -> list[str]:
        lines = self.unpack_sizes()
        lines += [
            "n_S, n_E = starts.shape[1], starts.shape[0]",
            "weights = np.zeros((genomes.shape[1], n_lanes), F)",
            *self.world.allocate(),
            "x_t = np.zeros((n_I, n_lanes), F)",
            "total, gain = np.zeros(n_lanes), np.zeros(n_lanes)",
            "live, age = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
            "over, pair = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
        ]
        for k, (name, dimensions) in enumerate(self.step.parameters.items()):
            view = f"block(weights, offsets[{k}], offsets[{k + 1}] - offsets[{k}])"
            if len(dimensions) == 2:
                view = f"cube(weights, offsets, {k}, {size(dimensions[0])}, {size(dimensions[1])})"
            lines.append(f"{variable(name)} = {view}")
        outside = {self.graph.outputs[name] for name in self.step.states}
        for index in sorted(self.plan.stored - outside):
            rows = size(self.graph.nodes[index].shape[0])
            lines.append(f"{self.names[index]} = np.zeros(({rows}, n_lanes), F)")
        for name, dimension in self.step.states.items():
            lines.append(f"{variable(name)}_slots = np.zeros((2, {size(dimension)}, n_lanes), F)")
        return lines

    def _take_over(self) -> list[str]:
        """Return the lines that write the results of ended episodes and begin others in their lanes."""
        lines = [
            "for k in range(n_lanes):",
            "    if over[k] == 0:",
            "        continue",
            "    if pair[k] >= 0:",
            "        sum_now = total[k]",
            "        p, e = pair[k] // n_E, pair[k] % n_E",
            "        returns[p, e] = sum_now if sum_now - sum_now == 0.0 else np.nan",
            "        lengths[p, e] = age[k]",
            "    pair[k] = take_number(queue)",
            "    over[k], age[k], total[k] = 0, 0, 0.0",
            "    e = pair[k] % n_E  # a lane that finds the queue empty stands still at a start",
            "    for i in range(n_S):",
            f"        {self.world.number('k', 'i')} = starts[e, i]",
            "    if pair[k] >= genomes.shape[0] * n_E:",
            "        pair[k], live[k] = -1, 0",
            "        alive -= 1",
            "        continue",
            "    load_lane(weights, genomes[pair[k] // n_E], k)",
        ]
        return [*lines, *(f"    clear_lane({variable(name)}, k)" for name in self.step.states)]

    def _record_before(self) -> list[str]:
        """Return the lines that write down what the first lane saw and did, where it is asked for."""
        return [
            "if rewards.shape[0] > 0:",
            "    for i in range(n_S):",
            f"        states[t, i] = {self.world.number('0', 'i')}",
            "    for i in range(n_I):",
            "        observations[t, i] = x_t[i, 0]",
            "    for i in range(n_O):",
            f"        actions[t, i] = {OUTPUT}_new[i, 0]",
        ]
