"""Next generation reservoir computing: a nonlinear vector autoregression with a solved readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.base.settings import setting
from evorrn.cells.ng_rc import LARGEST_ORDER, count, local_count
from evorrn.strategies.base import State, Strategy, generator_state
from evorrn.strategies.reservoir.conditions import LARGEST_STATE, check_washout, fitted_steps, sees_output
from evorrn.strategies.reservoir.readout import check_bias, logit_scale, mean_loss, write_readout
from evorrn.strategies.reservoir.ridge import ridge, ridge_path

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.budget import Budget
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class NGRC(Strategy):
    """Next generation reservoir computing: ridge regression on monomials of present and past inputs.

    The network has the cell ``ng-rc``, which holds the last inputs and multiplies them: nothing is drawn. With `reach` it has
    the cell ``local-ng-rc``, which multiplies only inputs that are near each other on a ring, so that many inputs have few
    monomials. The first step solves the readout for all penalties. Each step judges that of one penalty on validation, the
    largest first; or the only step takes the penalty that training data choose. `needs_network` returns the network's settings.

    Notes
    -----
    Source: Gauthier, Bollt, Griffith and Barbosa 2021, "Next generation reservoir computing", equations 4 to 9; `reach`: Barbosa
    and Gauthier 2022, "Learning spatiotemporal chaos using next-generation reservoir computing". With
    `increments` the readout is fitted to the change from the present input to the target, as for their forecasts, so
    that the penalty draws it to persistence. Deviations: values are those of the task, which are scaled in most tasks;
    the constant is not penalised; the penalty is chosen unless there is only one; with `reach` the readout of a variable sees
    all monomials and has weights of its own, where theirs sees those nearby and is the same for all variables. Chosen by errors of one step it tends to be
    so small that a free run of a chaotic system diverges, which is why validation chooses by default.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("lorenz", train=400, continuations=5, ahead=100)
    >>> strategy = evorrn.NGRC(delays=2, order=2, increments=True)
    >>> network = evorrn.Network.for_task(task, **strategy.needs_network(task.inputs))
    >>> network
    Network(3 -> ng-rc 27 -> 3, 84 genes)
    >>> result = strategy.fit(network, task)
    >>> bool(result.metrics["test"]["valid_time"] > 2)
    True
    """

    name: ClassVar[str] = "ng-rc"
    version: ClassVar[int] = 4
    step_name: ClassVar[str] = "solution"
    one_step: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"states", "targets"})
    network_defaults: ClassVar[dict[str, Any]] = {"cell": "ng-rc", "dtype": "float64"}
    ends_by_itself: ClassVar[bool] = True

    delays: int = setting(2, "inputs that are seen, the present one included", minimum=1, maximum=100)
    skip: int = setting(1, "time steps between two inputs that are seen", minimum=1, maximum=1000)
    order: int = setting(2, "largest degree of the monomials", minimum=1, maximum=LARGEST_ORDER)
    reach: int | None = setting(
        None,
        "places on the ring of inputs that variables of one monomial may be apart; by default any variables are multiplied",
        minimum=0,
        maximum=100,
        absent=None,
    )
    increments: bool = setting(
        False, "whether the readout is fitted to the change from the present first inputs to the targets"
    )
    washout: int | None = setting(
        None,
        "first steps of each sequence left out of the fit; by default those before all delays are filled",
        minimum=0,
    )
    alphas: tuple[float, ...] = setting(
        tuple(float(f"1e{exponent}") for exponent in range(-16, 1)),
        "ridge penalties to choose from, per row and squared weight",
        above=0,
    )
    select: str = setting(
        "validation",
        "how the penalty is chosen: by the loss on validation, a free run where the task has one, one step for each "
        "penalty (validation; without validation data as blocks); on held-out blocks of the training data (blocks); or by "
        "generalised cross-validation (gcv)",
        choices=("validation", "blocks", "gcv"),
    )
    held_out: float = setting(
        0.5, "share of the sequences, or of the last steps, that is divided into blocks", above=0, below=1
    )
    blocks: int = setting(2, "number of blocks", minimum=1)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, a grid without penalties included."""
        found = super().problems()
        return found or ([] if self.alphas else ["alphas: expected at least one penalty, got none"])

    @property
    def default_budget(self) -> Budget:
        """Without limits, since there are no more steps than penalties."""
        from evorrn.training.budget import Budget

        return Budget()

    def needs_network(self, inputs: int) -> dict[str, Any]:
        """Return the cell, its options and its units: the monomials of `delays` times `inputs` values, or of one variable.

        Raises
        ------
        ConfigError
            When `reach` is half of the inputs or more.
        """
        options = {"taps": self.delays, "depth": (self.delays - 1) * self.skip + 1}
        if self.reach is None:
            hidden = count(self.delays * inputs, self.order)
            return {"cell": "ng-rc", "cell_options": options, "hidden": hidden, "dtype": "float64"}
        if 2 * self.reach >= inputs:
            raise ConfigError(
                f"strategy {self.name}: reach: expected less than half of the {inputs} inputs, got {self.reach}; without it "
                "all inputs are multiplied"
            )
        return {
            "cell": "local-ng-rc",
            "cell_options": {**options, "near": self.reach + 1},
            "hidden": local_count(self.delays, self.reach, self.order),
            "dtype": "float64",
        }

    def start(self, problem: Problem, rng: np.random.Generator) -> State:
        """Return the state before the solution.

        Raises
        ------
        ConfigError
            For another network than that of `needs_network`, for `increments` of more outputs than inputs or of
            classes, for a washout that leaves fewer rows than the readout has weights, and for delays that are longer than every
            training sequence.
        """
        network = problem.network
        self._check_network(network)
        check_bias(self.name, network)
        check_washout(self.name, problem, self.washout)
        self._check_lengths(problem)
        if self.increments and (network.loss_function.logits or network.outputs > network.inputs):
            raise ConfigError(
                f"strategy {self.name}: increments needs outputs that continue the first inputs, and the loss mse"
            )
        return {
            "rng": generator_state(rng),
            "candidate": None,
            "train_loss": np.inf,
            "finished": "",
            "record": {},
            "solved": 0,
            "readouts": [],
        }

    def step(self, problem: Problem, state: State) -> State:
        """Return the state with the readout of the next penalty, or of the one that is chosen on training data.

        All are solved in the first step.
        """
        each = self.select == "validation" and problem.valid is not None
        readouts, solved = state["readouts"] or self._solved(problem, each), state["solved"]
        problem.charge(self._own_work(problem.network))
        genome, loss, record = readouts[solved]
        return {
            **state,
            "readouts": readouts,
            "candidate": genome,
            "train_loss": loss,
            "finished": "" if solved + 1 < len(readouts) else "readout solved",
            "solved": solved + 1,
            "record": record,
        }

    def _solved(self, problem: Problem, each: bool) -> list[tuple[np.ndarray, float, dict[str, float]]]:
        """Return genomes with solved readouts, their training losses and records: of every penalty, or of the chosen one."""
        network, batch, rows = problem.network, problem.batch("train"), self._rows(problem)
        features = problem.readout_states(np.zeros(network.size))[rows].astype(np.float64)
        if not np.abs(features).max() < LARGEST_STATE:  # NaN included
            raise ConfigError(f"strategy {self.name}: the monomials of the inputs are not finite")
        truth = batch.targets[rows]
        fitted = network.loss_function.regression_targets(truth, network.outputs)
        if self.increments:
            fitted = fitted - batch.inputs[rows][:, : network.outputs]
        found: list[tuple[np.ndarray, np.ndarray, dict[str, float]]]
        if each:
            grid = sorted(self.alphas, reverse=True)
            *solutions, work = ridge_path(features, fitted, grid)
            found = [
                (weights, bias, {"alpha": alpha, "alpha_at_edge": 0})
                for weights, bias, alpha in zip(*solutions, grid)
            ]
        else:
            solution = ridge(
                features,
                fitted,
                self.alphas,
                select="gcv" if self.select == "gcv" else "blocks",
                held_out=(self.held_out, self.blocks),
                sequences=np.nonzero(rows)[0],
            )
            work = solution.work
            record = {"alpha": solution.alpha, "alpha_at_edge": solution.at_edge}
            found = [(solution.weights, solution.bias, record)]
        problem.charge(work - len(found) * self._own_work(network))
        return [
            (*self._written(network, features, truth, weights, bias), record)
            for weights, bias, record in found
        ]

    def _own_work(self, network: Network) -> int:
        """Return the multiply-adds of the solution of one penalty once the rows are decomposed, charged where it is judged."""
        return network.outputs * network.readout_width**2

    def _written(
        self, network: Network, features: np.ndarray, truth: np.ndarray, weights: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Return a genome with a readout, and its training loss."""
        genome, weights = np.zeros(network.size), weights.copy()
        if self.increments:  # the first monomials are the present inputs
            weights[:, : network.outputs] += np.eye(network.outputs)
        with one_thread():
            outputs = features @ weights.T + bias
        scale = logit_scale(network.loss_function, outputs, truth)
        if network.direct:
            weights = np.hstack([np.zeros((network.outputs, network.inputs)), weights])
        write_readout(network, genome, scale * weights, scale * bias)
        return genome, mean_loss(network.loss_function, scale * outputs, truth)

    def _rows(self, problem: Problem) -> np.ndarray:
        """Return the steps (B, T) of the fit: scored ones from the first at which all delays are filled."""
        return fitted_steps(
            problem.batch("train"), (self.delays - 1) * self.skip if self.washout is None else self.washout
        )

    def _check_lengths(self, problem: Problem) -> None:
        """Raise ConfigError when no training sequence is long enough for all delays."""
        lengths, oldest = problem.batch("train").lengths, (self.delays - 1) * self.skip
        assert lengths is not None
        if lengths.max() <= oldest:
            raise ConfigError(
                f"strategy {self.name}: the oldest of {self.delays} delays with skip {self.skip} is {oldest} steps back, and the "
                f"longest training sequence has {lengths.max()} steps; expected fewer delays or a smaller skip"
            )

    def _check_network(self, network: Network) -> None:
        """Raise ConfigError for a network that does not make the monomials of the settings."""
        if sees_output(network):
            raise ConfigError(
                f"strategy {self.name}: expected a network without feedback; in free runs its inputs are its outputs"
            )
        if network.wired:
            raise ConfigError(
                f"strategy {self.name}: expected a network without {network.wiring}; its only state are delayed inputs"
            )
        needed = self.needs_network(network.inputs)
        settings = network.settings()
        options = {**network.cell.sizes, **network.options_of(0)}
        found = {
            "cell": network.cell.name,
            "cell_options": {name: options.get(name) for name in needed["cell_options"]},
            "hidden": list(network.hidden),
            "dtype": settings["dtype"],
        }
        wanted = {**needed, "hidden": [needed["hidden"]], "dtype": found["dtype"]}
        wrong = [name for name in wanted if found[name] != wanted[name]]
        if wrong:
            raise ConfigError(
                [
                    f"strategy {self.name}: network.{name}: expected {needed[name]!r} for these settings, "
                    f"got {found[name]!r}; strategy.needs_network(inputs) returns the network"
                    for name in wrong
                ]
            )
