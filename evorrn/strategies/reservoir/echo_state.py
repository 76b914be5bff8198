"""Echo state networks: a random reservoir, and a readout solved by ridge regression."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.settings import setting
from evorrn.strategies.base import State
from evorrn.strategies.reservoir.classifiers import CLASSIFIERS, check_classifier, classify
from evorrn.strategies.reservoir.conditions import (
    check_fed_back,
    check_solvable,
    check_washout,
    fitted_steps,
    sees_output,
)
from evorrn.strategies.reservoir.drawn import DrawnReservoir
from evorrn.strategies.reservoir.given import GivenReservoir, either
from evorrn.strategies.reservoir.readout import (
    check_bias,
    logit_scale,
    mean_loss,
    readout_features,
    write_readout,
)
from evorrn.strategies.reservoir.ridge import ridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evorrn.data.batch import Batch
    from evorrn.data.task import Splits, Task
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem
    from evorrn.training.result import Result


@dataclass(frozen=True)
class EchoState(DrawnReservoir):
    """Echo state network: random reservoirs with solved readouts, of which the best on validation is kept.

    A setting that is one number is fixed; ``[low, high]`` is a range. The first reservoir has the middle of
    every range and the network's own leak; the settings of each further one are drawn at random. Middle
    and draw are on a logarithmic scale, or on a linear scale if `low` is 0.

    Notes
    -----
    ``x_t = (1 - a) x_{t-1} + a tanh(W_in [1; u_t] + W x_{t-1} + W_fb y_{t-1})`` for the cell ``leaky``, and
    ``y_t = W_out [1; u_t; x_t]`` (``[1; x_t]`` for a network without ``direct``); any other cell works
    too. The solved readout is written into the genome. With ``feedback`` the true targets are fed back while
    states are computed; then the network is judged as it will run, on its own output from the first scored step on.

    Of stacked layers the readout sees only the last, unless the network has ``reads="all"``. Each layer squashes and
    mixes what it is given, so the last one alone has lost much of the input that a linear readout could use: a stack with
    ``reads="all"`` never knows less than its first layer. A stack without it works, with larger errors.

    The readout is solved from the states themselves up to 600 features (units that are read, and inputs with
    ``direct``), and from their Gram matrix beyond, see `solver`. ``alpha_at_edge`` in the history is -1 or 1 where the
    smallest or the largest of `alphas` predicted best: perhaps a further one would do better.

    The links of ``cycle``, ``jump-cycle`` and ``delay-line`` have equal weights (Rodan & Tiňo 2011, 2012), so that of
    a cycle they are the spectral radius. A delay line has no eigenvalue but 0; its weights are `spectral_radius`.

    With intrinsic plasticity the weights into a unit are multiplied by its gain, so that `spectral_radius` is that of the
    start; see `evorrn.strategies.reservoir.plasticity.Plasticity`.

    For labels the regression targets are 1 for the class and 0 elsewhere, and one factor
    turns the outputs into logits. A reservoir whose states diverge is recorded, and is not a candidate.

    Source: Jaeger 2001 (GMD report 148); leaky units: Jaeger, Lukoševičius, Popovici & Siewert 2007;
    practice: Lukoševičius 2012. No state noise is added unless `state_noise` is set.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("narma", train=300, valid=100, test=100)
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=50, direct=True, dtype="float64")
    >>> result = evorrn.EchoState(reservoirs=3).fit(network, task, seed=1)
    >>> result.stopped_by
    'all reservoirs drawn'
    >>> bool(result.metrics["test"]["nrmse_std"] < 0.9)
    True
    """

    name: ClassVar[str] = "esn"
    version: ClassVar[int] = 5
    usual_speed: ClassVar[float] = 3e9
    usual_overhead: ClassVar[float] = 5e-6

    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the fit; by default a tenth of it, at most 100",
        minimum=0,
    )
    alphas: tuple[float, ...] = setting(
        tuple(float(f"1e{exponent}") for exponent in range(-20, 2)),
        "ridge penalties to choose from, per row and squared weight",
        above=0,
    )
    select: str = setting(
        "blocks",
        "how the penalty is chosen: on held-out blocks (blocks), of whole sequences if there are several, with about "
        "equal shares of every class, else of steps in time order; or by generalised cross-validation, which assumes "
        "that errors are independent in time (gcv)",
        choices=("blocks", "gcv"),
    )
    held_out: float = setting(
        0.5, "share of the sequences, or of the last steps, that is divided into blocks", above=0, below=1
    )
    blocks: int = setting(
        2,
        "number of blocks; each is predicted from all other sequences, or from all steps before it",
        minimum=1,
    )
    solver: str = setting(
        "auto",
        "svd solves the readout from the states themselves, cholesky from their Gram matrix, faster and with half the "
        "digits; auto is svd up to 600 features",
        choices=("auto", "svd", "cholesky"),
        absent="cholesky",
    )
    classifier: str = setting(
        "ridge",
        "how the readout of classes is fitted: ridge regression, logistic regression, or a linear support vector machine; the "
        "last two need scikit-learn and penalties of at least 1e-8",
        choices=CLASSIFIERS,
        absent="ridge",
    )
    penalties: str = setting(
        "shared",
        "one penalty for all outputs (shared), or for every output the one that predicts it best (each)",
        choices=("shared", "each"),
        absent="shared",
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, a grid without penalties included."""
        found = super().problems()
        return found or ([] if self.alphas else ["alphas: expected at least one penalty, got none"])

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the first reservoir.

        Raises
        ------
        ConfigError
            For a network without biases, for a loss on whole sequences, for a network that sees its own logits, for a
            washout that leaves fewer rows than the readout has weights, and in the cases of `DrawnReservoir.start`.
        """
        network = problem.network
        check_bias(self.name, network)
        check_solvable(self.name, network)
        check_fed_back(self.name, network)
        check_washout(self.name, problem, self.washout)
        check_classifier(self.name, self.classifier, network)
        return super().start(problem, rng)

    @either
    def fit_readout(
        self,
        network: Network,
        data: Task | Batch | Splits | Sequence[Batch],
        genome: np.ndarray,
        alphas: Sequence[float] | None = None,
    ) -> Result:
        """Return the result with the solved readout of a given genome; nothing is drawn.

        Parameters
        ----------
        network : Network
        data : Task, Batch, Splits, or sequence of one to three Batch
            As for `fit`; a task gives its data of seed 0.
        genome : ndarray, shape (n,)
            Its readout has no effect.
        alphas : sequence of float, optional
            Penalties to choose from, in place of those of the strategy. Called on the class, `fit_readout` has the
            default settings.

        Raises
        ------
        ConfigError
            In the cases of `start`, and when the states of the genome are not finite.

        Examples
        --------
        >>> import evorrn
        >>> task = evorrn.task("narma", train=300, valid=100, test=100)
        >>> network = evorrn.Network.for_task(task, cell="gru", hidden=20, dtype="float64")
        >>> result = evorrn.EchoState.fit_readout(network, task, network.init(seed=0), alphas=[1e-6, 1e-4])
        >>> result.stopped_by
        'readout solved'
        """
        from evorrn.training.loop import fit

        strategy = self if alphas is None else dataclasses.replace(self, alphas=tuple(alphas))
        return fit(GivenReservoir(strategy, network.check_genome(genome)), network, data)

    def solve(
        self, problem: Problem, genome: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, dict[str, float]]:
        """Solve the readout and write it into a genome (n,); return the training loss and what the history keeps."""
        network, batch = problem.network, problem.batch("train")
        rows = fitted_steps(batch, self.washout)
        features = readout_features(problem, genome, rows, self.state_noise, rng)
        if features is None:
            return np.inf, {"alpha": np.nan, "alpha_at_edge": 0}
        truth = batch.targets[rows]
        if self.classifier != "ridge":
            return self._classify(problem, genome, features, truth, np.nonzero(rows)[0])
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        solution = ridge(
            features,
            fitted,
            self.alphas,
            select=self.select,
            held_out=(self.held_out, self.blocks),
            sequences=np.nonzero(rows)[0],
            solver=self.solver,
            each_output=self.penalties == "each",
        )
        problem.charge(solution.work)
        with one_thread():
            outputs = features @ solution.weights.T + solution.bias
        judged, seen = (
            (outputs, truth) if solution.unseen is None else (solution.unseen, truth[solution.held_out])
        )
        scale = logit_scale(network.loss_function, judged, seen)
        write_readout(network, genome, scale * solution.weights, scale * solution.bias)
        solved = {"alpha": solution.alpha, "alpha_at_edge": solution.at_edge}
        if sees_output(network):  # the fit saw true outputs; the network sees its own
            return -float(problem.fitness(genome[None])[0]), solved
        return mean_loss(network.loss_function, scale * outputs, truth), solved

    def _classify(
        self,
        problem: Problem,
        genome: np.ndarray,
        features: np.ndarray,
        truth: np.ndarray,
        sequences: np.ndarray,
    ) -> tuple[float, dict[str, float]]:
        """Write the readout of a classifier into a genome (n,); return the training loss and what the history keeps."""
        network = problem.network
        division = self.held_out, self.blocks
        found = classify(self.classifier, features, truth, network.outputs, self.alphas, sequences, division)
        problem.charge(found.work)
        with one_thread():
            outputs = features @ found.weights.T + found.bias
        scale = logit_scale(network.loss_function, outputs, truth) if self.classifier == "svm" else 1.0
        write_readout(network, genome, scale * found.weights, scale * found.bias)
        loss = mean_loss(network.loss_function, scale * outputs, truth)
        return loss, {"alpha": found.alpha, "alpha_at_edge": 0}
