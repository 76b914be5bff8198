"""The emitted program that lets a population act: lanes are individuals, each with its own weights.

A tile of lanes runs time step after time step: all worlds are observed, all networks move, all worlds
move. A lane whose episode has ended takes the next pair (individual, start) from a queue that all threads
share, so that lanes stay busy although episodes differ in length. No lane sees another, so results
depend neither on who shares a tile nor on which thread runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.compile.emit import Names, StageWriter, equation, size, variable
from evorrn.compile.plan import Affine, schedule
from evorrn.compile.step import OUTPUT, Step

HEADER = '''"""{title}

``observe_world`` and ``step_world`` are those with the fingerprint {fingerprint}.
"""

import numpy as np
from numba import njit

from evorrn.kernels.activations import (
    elu, elu_slope, exp, leaky_relu, leaky_slope, relu, selu, selu_slope, sigmoid, softplus, step, swish, tanh,
)
from evorrn.kernels.individuals import affine, clear_lane, cube, load_lane, local, take_number
from evorrn.kernels.lanes import at, block, flat, join, take
from evorrn.kernels.separate import SeparateArrays

F = np.{dtype}
LOOP = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True, pipeline_class=SeparateArrays)
TILE = dict(cache=True, fastmath={{"contract"}}, error_model="numpy", nogil=True)'''

ARGUMENTS = (
    "first, last, n_lanes, genomes, options, sizes, offsets, starts, limit, queue, returns, lengths, "
    "observations, actions, rewards, states"
)

IN_REGISTERS = 24
"""Numbers of a world up to which each lies in a buffer of its own, and in a register while it moves."""

RESET = '''"""Starts of the environment whose ``reset_world`` has the fingerprint {fingerprint}."""

from numba import njit


@njit(cache=True, error_model="numpy")
def fill(starts, rng):
    """Fill the states (N, states), one after the other."""
    for k in range(starts.shape[0]):
        reset_world(starts[k], rng)
'''


@dataclass(frozen=True)
class World:
    """What the program knows of an environment: sizes, and a fingerprint of its functions."""

    observations: int
    actions: int
    states: int
    fingerprint: str

    @property
    def in_registers(self) -> bool:
        """Whether lanes are moved by vector code, each number of the world in a buffer of its own."""
        return max(self.observations, self.actions, self.states) <= IN_REGISTERS


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


class IndividualsEmitter:
    """Emits the program of one step and one world for one dtype; see `LanesEmitter`.

    The module needs the functions ``observe_world`` and ``step_world`` among its names.

    Parameters
    ----------
    step : Step
    title : str
        What the network is, for the reader.
    dtype : str
        ``"float32"`` or ``"float64"``: of the network; worlds are float64.
    world : World
    """

    def __init__(self, step: Step, title: str, dtype: str, world: World) -> None:
        self.step = step
        self.graph = step.graph
        self.world = world
        self.header = HEADER.format(
            title=f"{title}, individuals as lanes", dtype=dtype, fingerprint=world.fingerprint
        )
        new = {index: f"{variable(name)}_new" for name, index in self.graph.outputs.items()}
        leaves = {index: variable(node.name) for index, node in enumerate(self.graph.nodes) if node.name}
        leaves[self.graph.leaves("input")["x"]] = "x_t"
        self.names = Names(self.graph, {**leaves, **new})
        self.plan = schedule(self.graph, self.graph.outputs.values())

    def simulate(self) -> str:
        """Return the source of the program."""
        writer = _Writer(self.graph, self.step, self.names, "loop", rowwise=False)
        functions, calls = writer.write(self.plan)
        worlds = self._in_registers() if self.world.in_registers else self._in_memory()
        step = [f"{variable(name)} = at({variable(name)}_slots, now)" for name in self.step.states]
        step += [f"{variable(name)}_new = at({variable(name)}_slots, 1 - now)" for name in self.step.states]
        step += ["if ended > 0:", *_indent(self._take_over()), "    if alive == 0:", "        break"]
        step += [self._call("observe_lanes", "x_t"), *calls, *self._record_before()]
        step += [
            f"ended = {self._call('step_lanes', f'{OUTPUT}_new', 'live, age, over, total, gain, limit')}"
        ]
        step += ["if rewards.shape[0] > 0:", "    rewards[t] = gain[0]", "t += 1"]
        body = [*self._allocate(), "for worker in range(first, last):"]
        body += _indent(
            [
                "for k in range(n_lanes):",
                "    over[k], live[k], pair[k] = 1, 1, -1",
                "t, ended, alive = 0, n_lanes, n_lanes",
            ]
        )
        body += ["    while True:", "        now = t & 1", *_indent(_indent(step))]
        lines = [self.header, *functions, *worlds, "", "", "@njit(**TILE)", f"def simulate({ARGUMENTS}):"]
        lines += ['    """Let workers first to last run a tile each until the queue of pairs is empty."""']
        return "\n".join([*lines, *_indent(body), ""])

    # --- The worlds --------------------------------------------------------------------------------

    def _in_registers(self) -> list[str]:
        """Return functions over all lanes that compile to vector code."""
        world = self.world
        s, x, a = (
            [f"{letter}{k}" for k in range(count)]
            for letter, count in (("s", world.states), ("x", world.observations), ("a", world.actions))
        )
        fetch = [f"state = local({world.states})", *(f"state[{k}] = s{k}[k]" for k in range(world.states))]
        lines = ["", "", "@njit(**LOOP)", f"def observe_lanes({', '.join(s + x)}):"]
        lines += ['    """Observe the worlds of all lanes, one number of a world in each buffer."""']
        lines += ["    for k in range(s0.shape[0]):"]
        inner = [*fetch, f"observation = local({world.observations})", "observe_world(state, observation)"]
        inner += [f"x{k}[k] = observation[{k}]" for k in range(world.observations)]
        lines += _indent(_indent(inner))
        lines += ["", "", "@njit(**LOOP)"]
        lines += [f"def step_lanes({', '.join(s + a)}, live, age, over, total, gain, limit):"]
        lines += ['    """Move the worlds of all lanes that live; return how many episodes have ended."""']
        lines += ["    ended = 0", "    for k in range(s0.shape[0]):"]
        inner = [*fetch, f"action = local({world.actions})"]
        inner += [f"action[{k}] = a{k}[k]" for k in range(world.actions)]
        inner += ["reward, done = step_world(state, action)", "lives = live[k] != 0"]
        inner += [f"reward = float(reward) + ({' + '.join(f'a{k}[k] * F(0)' for k in range(world.actions))})"]
        inner += ["sum_now = total[k] + reward", "age_now = age[k] + live[k]"]
        inner += ["broken = not (sum_now - sum_now == 0.0)"]
        inner += ["ends = (bool(done) or broken or age_now >= limit) and lives"]
        inner += ["gain[k] = reward", "total[k] = sum_now if lives else total[k]", "age[k] = age_now"]
        inner += ["over[k] = 1 if ends else 0", "ended += 1 if ends else 0"]
        inner += [f"s{k}[k] = state[{k}] if lives else s{k}[k]" for k in range(world.states)]
        return [*lines, *_indent(_indent(inner)), "    return ended"]

    def _in_memory(self) -> list[str]:
        """Return functions over all lanes for worlds of many numbers, one world in each row."""
        return _IN_MEMORY.splitlines()

    def _call(self, function: str, tile: str, rest: str = "") -> str:
        world = self.world
        if not world.in_registers:
            buffer = "seen" if tile == "x_t" else "moves"
            return f"{function}({', '.join(part for part in ('worlds', buffer, tile, rest) if part)})"
        count = world.observations if tile == "x_t" else world.actions
        rows = [f"at(worlds, {k})" for k in range(world.states)] + [f"at({tile}, {k})" for k in range(count)]
        return f"{function}({', '.join([*rows, rest] if rest else rows)})"

    def _state_of(self, lane: str, number: str) -> str:
        return f"worlds[{number}, {lane}]" if self.world.in_registers else f"worlds[{lane}, {number}]"

    # --- The tile ----------------------------------------------------------------------------------

    def _allocate(self) -> list[str]:
        lines = [f"{size(name)} = sizes[{k}]" for k, name in enumerate(self.step.dimensions)]
        joined = {d for node in self.graph.nodes for d in node.shape if "+" in d}
        for dimension in sorted(joined):
            lines.append(f"{size(dimension)} = {' + '.join(size(part) for part in dimension.split('+'))}")
        shape = "(n_S, n_lanes)" if self.world.in_registers else "(n_lanes, n_S)"
        lines += [
            "n_S, n_E = starts.shape[1], starts.shape[0]",
            "weights = np.zeros((genomes.shape[1], n_lanes), F)",
            f"worlds = np.zeros({shape})",
            "x_t = np.zeros((n_I, n_lanes), F)",
            "total, gain = np.zeros(n_lanes), np.zeros(n_lanes)",
            "live, age = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
            "over, pair = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)",
        ]
        if not self.world.in_registers:
            lines += ["seen, moves = np.zeros(n_I), np.zeros(n_O)"]
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
            f"        {self._state_of('k', 'i')} = starts[e, i]",
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
            f"        states[t, i] = {self._state_of('0', 'i')}",
            "    for i in range(n_I):",
            "        observations[t, i] = x_t[i, 0]",
            "    for i in range(n_O):",
            f"        actions[t, i] = {OUTPUT}_new[i, 0]",
        ]


_IN_MEMORY = '''

@njit(**TILE)
def observe_lanes(worlds, seen, x_t):
    """Observe the worlds of all lanes, one after the other."""
    for k in range(worlds.shape[0]):
        observe_world(at(worlds, k), seen)
        for i in range(seen.shape[0]):
            x_t[i, k] = seen[i]


@njit(**TILE)
def step_lanes(worlds, moves, y, live, age, over, total, gain, limit):
    """Move the worlds of all lanes that live, one after the other; return how many episodes have ended."""
    ended = 0
    for k in range(worlds.shape[0]):
        if live[k] == 0:
            continue
        wrong = F(0)
        for i in range(moves.shape[0]):
            moves[i] = y[i, k]
            wrong += y[i, k] * F(0)
        reward, done = step_world(at(worlds, k), moves)
        gain[k] = float(reward) + wrong
        total[k] += gain[k]
        age[k] += 1
        if bool(done) or not (total[k] - total[k] == 0.0) or age[k] >= limit:
            over[k] = 1
            ended += 1
    return ended'''


def _indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
