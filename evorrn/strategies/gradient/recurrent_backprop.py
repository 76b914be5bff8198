"""Recurrent backpropagation: gradients of networks at their fixed points, without going back through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError, DataError
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.gradient.jacobian import jacobian_work
from evorrn.strategies.gradient.observation import check_steps, output_gradient
from evorrn.strategies.gradient.optimisers import CLIP, Coefficients, adam, clip_by_norm
from evorrn.strategies.gradient.restarting import Restarting, random_genome, targets_of

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

STRIDE = 20
"""Time steps between two looks at whether states rest."""


@dataclass(frozen=True)
class RecurrentBackprop(Restarting):
    """Recurrent backpropagation (Almeida-Pineda): gradient descent on the loss at fixed points.

    The input of each sequence is held until the state rests. The gradient there follows from one linear equation in place of
    a pass back through time: ``(I - F')' adjoint = gradient by the state``, with the Jacobian ``F'`` of the step. So its
    cost does not grow with the time that the network needs to settle, and nothing is stored. One step is one update
    with all training sequences.

    Notes
    -----
    For sequences whose inputs are the same at all time steps; the loss is that of the scored targets at the fixed point.
    Sequences whose state does not rest after `settle` time steps are left out of the update, and the record counts
    the share of those that rest. A start whose linear equation has no solution is given up. Cells that count time steps have no
    fixed point.

    Source: Almeida 1987; Pineda 1987, equations 10 to 15. Deviation: the linear equation is solved, not relaxed.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> x = np.repeat(np.random.default_rng(0).normal(size=(20, 1, 2)), 30, axis=1)
    >>> batch = evorrn.Batch(x, x[:, :, :1] * x[:, :, 1:], mask=np.arange(30)[None] >= np.full((20, 1), 20))
    >>> network = evorrn.Network(2, 1, cell="leaky", hidden=6)
    >>> losses = evorrn.RecurrentBackprop().fit(network, batch, budget="100gen").history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "recurrent-backprop"
    step_name: ClassVar[str] = "update"
    one_step: ClassVar[bool] = True
    constant_inputs: ClassVar[bool] = True

    patience: int = setting(
        200, "updates without improvement on validation after which training stops; 0 for never", minimum=0
    )
    rate: float = setting(0.02, "learning rate of Adam", above=0)
    clip: float = setting(1.0, CLIP, minimum=0)
    settle: int = setting(500, "most time steps for which an input is held", minimum=1)
    tolerance: float = setting(1e-5, "largest change of a state in a time step at which it rests", above=0)

    def check(self, problem: Problem) -> None:
        """Raise an error for networks without fixed points, and for inputs that change within a sequence."""
        network, batch = problem.network, problem.train
        check_steps(self.name, network)
        counting = counters(network)
        if counting:
            raise ConfigError(
                f"strategy {self.name}: expected a cell whose state can rest; {counting[0]} of {network.cell.name} "
                f"counts time steps; bptt serves it"
            )
        inside = np.arange(batch.steps) < np.asarray(batch.lengths)[:, None]
        if (batch.inputs != batch.inputs[:, :1])[inside].any():
            raise DataError(
                f"strategy {self.name}: expected inputs that are the same at all time steps of a sequence, as they are held "
                f"until the state rests; for inputs that change bptt or ekf serve"
            )

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a random genome with empty moments."""
        return {"genome": random_genome(problem, rng), "moments": {}}

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one update."""
        batch, network = problem.train, problem.network
        targets = targets_of(problem)
        with problem.compiling(), one_thread():
            rested = settled(network, state["genome"], batch.inputs[:, 0], self.settle, self.tolerance)
            kept = np.flatnonzero(rested.rests & batch.scored.any(axis=1))
            loss, gradient = np.inf, np.full(problem.size, np.nan)
            if len(kept):
                x, scored = batch.inputs[kept, 0], batch.scored[kept]
                loss, gradient = fixed_point_gradient(
                    network, state["genome"], (rested.state[kept], x), targets[kept], scored
                )
        size = network.state_size
        problem.charge_pass(batch.size * rested.steps, batch.size * rested.steps * network.step_work[0], 1)
        solving = size**3 // 3 + (size + network.outputs) * (size + problem.size)
        problem.charge_pass(len(kept), len(kept) * (jacobian_work(network) + solving))
        problem.charge(15 * problem.size)
        finite = bool(np.isfinite(loss) and np.isfinite(gradient).all())
        genome, moments, norm = state["genome"], state["moments"], np.inf
        if finite:
            step, norm = clip_by_norm(gradient, self.clip)
            genome, moments = adam(genome, step, self.rate, moments, Coefficients())
        return {
            "genome": genome,
            "moments": moments,
            "train_loss": loss,
            "stuck": not finite,
            "record": {"gradient_norm": norm, "resting": float(rested.rests.mean())},
        }


class Settled(NamedTuple):
    """States (R, S) after inputs were held, whether each rests (R,), and for how many time steps they were held."""

    state: np.ndarray
    rests: np.ndarray
    steps: int


def settled(network: Network, genome: np.ndarray, x: np.ndarray, most: int, tolerance: float) -> Settled:
    """Hold inputs (R, I) until the states of all of them rest, for at most so many time steps."""
    state = np.tile(network.first_state, (len(x), 1))
    steps, rests = 0, np.zeros(len(x), bool)
    while steps < most and not rests.all():
        count = min(STRIDE, most - steps)
        if count > 1:
            held = np.repeat(x[:, None], count - 1, axis=1)
            _, state = network.predict(genome, held, state, return_state=True)
        _, following = network.predict(genome, x[:, None], state, return_state=True)
        with np.errstate(invalid="ignore"):
            rests = (np.abs(following - state) <= tolerance).all(axis=1)
        state, steps = following, steps + count
    return Settled(state, rests, steps)


def fixed_point_gradient(
    network: Network,
    genome: np.ndarray,
    at: tuple[np.ndarray, np.ndarray],
    targets: np.ndarray,
    scored: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Return the loss at fixed points and its gradient (n,), float64; NaN where the linear equation has no solution.

    Parameters
    ----------
    network : Network
    genome : ndarray, shape (n,)
    at : tuple of ndarray
        The states (R, S) that rest, and the inputs (R, I) that are held.
    targets : ndarray, shape (R, T, O)
        Floats, for classes vectors with 1 at the label.
    scored : ndarray of bool, shape (R, T)
    """
    state, x = at
    steps, loss = network.linearised(genome, x[:, None], state), network.loss_function
    size = network.state_size
    by_state, by_genome = steps.by_state[:, 0].astype(np.float64), steps.by_genome(0).astype(np.float64)
    outputs = np.repeat(steps.outputs.astype(np.float64), scored.shape[1], axis=1)
    shown, wanted = outputs[scored], targets[scored]
    entries = float(loss.entries(scored.sum(), network.outputs))
    upon = np.zeros(outputs.shape)
    upon[scored] = output_gradient(loss, shown, wanted, entries)
    direct = upon.sum(axis=1)
    given = np.einsum("ro,ros->rs", direct, by_state[:, size:])
    system = np.eye(size) - by_state[:, :size].swapaxes(1, 2)
    try:
        adjoint = np.linalg.solve(system, given[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:  # the step has the eigenvalue 1 where a sequence rests
        adjoint = np.full(given.shape, np.nan)
    gradient = np.einsum("rs,rsn->n", adjoint, by_genome[:, :size])
    gradient += np.einsum("ro,ron->n", direct, by_genome[:, size:])
    truth = wanted.argmax(axis=1) if loss.labels else wanted
    return float(loss.mean(shown, truth)), gradient


def counters(network: Network) -> list[str]:
    """Return the states that only count time steps: their equation adds a constant to their last value."""
    graph, found = network.step.graph, []
    for name in network.step.states:
        node = graph.nodes[graph.outputs[name]]
        operands = [graph.nodes[operand] for operand in node.operands]
        own = any(operand.op == "input" and operand.name == name for operand in operands)
        if node.op == "add" and own and any(operand.op in ("constant", "option") for operand in operands):
            found.append(name)
    return found
