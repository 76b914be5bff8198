"""Levenberg-Marquardt: damped Gauss-Newton steps from the Jacobian of all outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.settings import setting
from evorrn.strategies.base import FLOAT, State
from evorrn.strategies.gradient.jacobian import check_memory, jacobian_work, jacobians
from evorrn.strategies.gradient.observation import check_steps, curvature_root, output_gradient
from evorrn.strategies.gradient.restarting import Restarting, random_genome, targets_of

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem

ROWS = 4096
"""Rows of the Jacobian that are multiplied with themselves at once."""
SQUARES = 4
"""Matrices of n x n numbers that are held at once when a step is solved."""
SMALLEST, LARGEST = 1e-12, 1e12
"""Bounds of the damping; above the largest no step improves the loss."""


@dataclass(frozen=True)
class LevenbergMarquardt(Restarting):
    """Levenberg-Marquardt: Gauss-Newton steps whose damping grows until the training loss falls.

    One step takes all training sequences: the Jacobian ``J`` of all outputs at all scored steps, carried forward in time, and
    then up to `attempts` solutions of ``(J' H J + damping D) change = -gradient``, where ``H`` is the loss's Hessian by the
    outputs. For small networks: it stores the square of the number of genes, and its solution costs the cube.

    Notes
    -----
    ``D`` is the diagonal of ``J' H J`` with `scaled`, else the identity. When no attempt improves the loss, or the damping
    is at its limit, training starts again.

    Source: Levenberg 1944; Marquardt 1963; for classes with the Gauss-Newton matrix of Schraudolph 2002.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> losses = evorrn.LevenbergMarquardt().fit(network, task, budget="5gen").history["train_loss"]
    >>> bool((losses[1:] < losses[:-1]).all())
    True
    """

    name: ClassVar[str] = "levenberg-marquardt"
    step_name: ClassVar[str] = "step"
    one_step: ClassVar[bool] = True

    damping: float = setting(1e-2, "damping of the first step", above=0)
    factor: float = setting(
        10.0, "by which damping is multiplied after a failed attempt, and divided after a step", above=1
    )
    attempts: int = setting(8, "solutions with growing damping in a step", minimum=1)
    scaled: bool = setting(False, "whether damping is relative to the diagonal of the Gauss-Newton matrix")

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the Gauss-Newton matrix, its factors and the influence of the weights take."""
        influence = sequences * (network.state_size + network.outputs) * network.size
        return super().bytes_held(network) + FLOAT * (SQUARES * network.size**2 + influence)

    def check(self, problem: Problem) -> None:
        """Raise ConfigError for losses on whole sequences, and for a matrix that does not fit into memory."""
        check_steps(self.name, problem.network)
        check_memory(
            f"strategy {self.name}: the Gauss-Newton matrix, which hessian-free does without",
            (problem.size, problem.size),
        )

    def fresh(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return a random genome with the first damping."""
        return {"genome": random_genome(problem, rng), "loss": np.inf, "damping": self.damping}

    def advance(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one step, at the same genome if no attempt has improved the loss."""
        genome, damping = state["genome"], state["damping"]
        loss = state["loss"]
        if not np.isfinite(loss):
            loss = -float(problem.fitness(genome[None])[0])
        with problem.compiling(), one_thread():
            gauss_newton, gradient = normal_equations(
                problem.network, genome, problem.train, targets_of(problem)
            )
        steps = problem.train.moved_steps
        problem.charge_pass(steps, steps * jacobian_work(problem.network))
        rows = int(problem.train.scored.sum()) * problem.network.outputs
        problem.charge(rows * problem.size * (problem.size + problem.network.outputs + 1))
        improved, tried = False, 0
        while not improved and tried < self.attempts and damping <= LARGEST:
            tried += 1
            change = self._solution(problem, gauss_newton, gradient, damping)
            found = np.inf if change is None else -float(problem.fitness((genome + change)[None])[0])
            improved = found < loss
            if improved and change is not None:
                genome, loss = genome + change, found
            damping = max(damping / self.factor, SMALLEST) if improved else damping * self.factor
        return {
            "genome": genome,
            "loss": loss,
            "damping": damping,
            "train_loss": loss,
            "stuck": not improved,
            "record": {
                "damping": damping,
                "attempts": tried,
                "gradient_norm": float(np.sqrt(np.square(gradient).sum())),
            },
        }

    def _solution(
        self, problem: Problem, gauss_newton: np.ndarray, gradient: np.ndarray, damping: float
    ) -> np.ndarray | None:
        """Return the damped step (n,), None when it cannot be computed."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        size = len(gradient)
        problem.charge(size**3 // 6 + size**2)
        diagonal = np.diagonal(gauss_newton) if self.scaled else np.ones(size)
        damped = gauss_newton + np.diag(damping * np.maximum(diagonal, SMALLEST))
        if not (np.isfinite(damped).all() and np.isfinite(gradient).all()):
            return None
        try:
            with one_thread():
                change: np.ndarray = -cho_solve(cho_factor(damped, lower=True), gradient)
        except LinAlgError:
            return None
        return change if np.isfinite(change).all() else None


def normal_equations(
    network: Network, genome: np.ndarray, batch: Batch, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gauss-Newton matrix (n, n) of the loss of a batch, and its gradient (n,), float64.

    `targets` (B, T, O) are floats, for classes vectors with 1 at the label.
    """
    loss, size = network.loss_function, network.size
    entries = float(loss.entries(batch.scored.sum(), network.outputs))
    matrix, gradient = np.zeros((size, size)), np.zeros(size)
    waiting: list[np.ndarray] = []
    for rows, t, outputs, jacobian in jacobians(network, genome, batch):
        upon = output_gradient(loss, outputs, targets[rows, t], entries)
        gradient += np.einsum("ko,kon->n", upon, jacobian)
        root = curvature_root(loss, outputs, entries)
        waiting.append((root.swapaxes(1, 2) @ jacobian).reshape(-1, size))
        if sum(map(len, waiting)) >= ROWS:
            matrix += _square(waiting)
            waiting = []
    return matrix + (_square(waiting) if waiting else 0), gradient


def _square(parts: list[np.ndarray]) -> np.ndarray:
    """Return the transpose of a matrix, given in parts one below the other, times itself."""
    whole = np.concatenate(parts)
    return whole.T @ whole
