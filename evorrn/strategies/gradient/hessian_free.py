"""Hessian-free: Gauss-Newton steps by conjugate gradients, from tangents and adjoints alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.gradient.observation import check_steps, curvature_root
from evorrn.strategies.gradient.restarting import Restarting, random_genome
from evorrn.strategies.gradient.tangents import Tangent

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

SHRINK, STEPS_BACK = 0.8, 30
"""By which a step that does not improve the loss is shortened, and how often."""
LARGEST = 1e12
"""The damping above which no step improves the loss."""


@dataclass(frozen=True)
class HessianFree(Restarting):
    """Hessian-free optimisation: damped Gauss-Newton steps, solved by conjugate gradients.

    One step takes all training sequences. The Gauss-Newton matrix ``J' H J`` is never stored: its product with a vector is a
    pass of tangents forward (``J v``), the loss's Hessian by the outputs, and a pass backward in time. So it serves
    networks that are too large for `evorrn.LevenbergMarquardt`.

    Notes
    -----
    Damping follows the ratio of the loss's fall to that of its quadratic model. Conjugate gradients begin at a share of
    the last solution, and stop at `iterations`, or when the model has improved by less than ``0.0005 k`` over the last
    ``k = max(10, 10 % of the iterations)``. A step that does not improve the loss is shortened. Without preconditioner,
    minibatches of curvature and structural damping.

    Source: Martens 2010, sections 4.1 to 4.6; for recurrent networks Martens & Sutskever 2011.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> losses = evorrn.HessianFree(iterations=5).fit(network, task, budget="2gen").history["train_loss"]
    >>> bool(losses[1] < losses[0])
    True
    """

    name: ClassVar[str] = "hessian-free"
    step_name: ClassVar[str] = "step"
    one_step: ClassVar[bool] = True

    damping: float = setting(0.1, "damping of the first step", above=0)
    iterations: int = setting(50, "most iterations of conjugate gradients in a step", minimum=1)
    momentum: float = setting(
        0.95, "share of the last solution at which conjugate gradients begin", minimum=0, maximum=1
    )

    def check(self, problem: Problem) -> None:
        """Raise ConfigError for losses on whole sequences."""
        check_steps(self.name, problem.network)

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a random genome with the first damping."""
        genome = random_genome(problem, rng)
        return {"genome": genome, "damping": self.damping, "solution": np.zeros(problem.size)}

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one step, at the same genome if it does not improve the loss."""
        genome, damping = state["genome"], state["damping"]
        loss, gradient = problem.loss_and_gradient(genome)
        gradient = np.asarray(gradient, np.float64)
        batch, network = problem.train, problem.network
        with problem.compiling(), one_thread():
            product = GaussNewton(network, genome, batch)
            solved = conjugate_gradients(
                lambda v: product(v) + damping * v,
                -gradient,
                self.momentum * state["solution"],
                self.iterations,
            )
            model = 0.5 * solved.solution @ product(solved.solution) + gradient @ solved.solution
        products, steps = solved.iterations + 2, batch.moved_steps
        one = 3 * network.step_work[0] + sum(network.step_work)
        problem.charge_pass(products * 2 * steps, products * (steps * one + 10 * problem.size))
        change, found, shortened = solved.solution, np.inf, 0
        while not found < loss and shortened <= STEPS_BACK:
            change = solved.solution * SHRINK**shortened
            found = -float(problem.fitness((genome + change)[None])[0])
            shortened += 1
        improved = found < loss
        ratio = (found - loss) / model if improved and model < 0 else 0.0
        damping *= 1.5 if ratio < 0.25 else 2 / 3 if ratio > 0.75 else 1.0
        return {
            "genome": genome + change if improved else genome,
            "damping": damping,
            "solution": solved.solution if improved else np.zeros(problem.size),
            "train_loss": found if improved else loss,
            "stuck": not (np.isfinite(loss) and np.isfinite(gradient).all()) or damping > LARGEST,
            "record": {"damping": damping, "iterations": solved.iterations, "shortened": shortened - 1},
        }


class GaussNewton:
    """The Gauss-Newton matrix ``J' H J`` of a network's loss on a batch, as a function of a vector (n,)."""

    def __init__(self, network: Network, genome: np.ndarray, batch: Batch) -> None:
        self._network, self._genome, self._batch = network, genome, batch
        self._tangent = Tangent(network, genome, batch)
        self._teacher = network.warm_up(batch)
        self._entries = float(network.loss_function.entries(batch.scored.sum(), network.outputs))

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """Return the product with a vector (n,)."""
        batch, scored = self._batch, self._batch.scored
        outputs, changes = self._tangent.along(vector)
        root = curvature_root(self._network.loss_function, outputs[scored], self._entries)
        upon = np.zeros(outputs.shape)
        upon[scored] = (root @ (root.swapaxes(1, 2) @ changes[scored][:, :, None]))[:, :, 0]
        x, lengths, teacher = batch.inputs, batch.lengths, self._teacher
        product = self._network.vjp(self._genome, x, upon, lengths=lengths, teacher=teacher)
        return np.asarray(product, np.float64)


class Solved(NamedTuple):
    """A solution (n,) of conjugate gradients, and the number of iterations."""

    solution: np.ndarray
    iterations: int


def conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], right: np.ndarray, start: np.ndarray, most: int
) -> Solved:
    """Solve ``A solution = right`` for a positive matrix, given as the function ``product(v) = A v``.

    Source: Hestenes & Stiefel 1952; the end by relative progress of the quadratic model: Martens 2010, section 4.4.
    """
    solution = np.array(start)
    residual = right - product(solution)
    direction, square = residual, residual @ residual
    models: list[float] = []
    for count in range(1, most + 1):
        curved = product(direction)
        curvature = direction @ curved
        if not (square > 0 and 0 < curvature < np.inf):
            return Solved(solution, count - 1)
        length = square / curvature
        solution = solution + length * direction
        residual = residual - length * curved
        last, square = square, residual @ residual
        direction = residual + (square / last) * direction
        models.append(-0.5 * float(solution @ (right + residual)))
        back = max(10, count // 10)
        if count > back and models[-1] < 0 and models[-1] - models[-1 - back] > 5e-4 * back * models[-1]:
            return Solved(solution, count)
    return Solved(solution, most)
