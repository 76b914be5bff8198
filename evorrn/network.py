"""Network: an architecture that runs. It predicts, is scored and differentiated, and acts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn import arguments
from evorrn.architecture import Architecture
from evorrn.batch import Batch, numeric
from evorrn.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from evorrn.environment import Environment
    from evorrn.programs import Programs
    from evorrn.simulation import Simulator, Trajectory


class Network(Architecture):
    """A recurrent network whose weights lie in one vector, the genome.

    Parameters
    ----------
    inputs, outputs : int
        Numbers at a time step; for classes, outputs are logits.
    cell : str or Cell
        A name, a function made with ``@evorrn.cell``, or ``"file.py:function"``.
    hidden : int or sequence of int
        Units of each layer.
    cell_options : mapping, optional
        Settings of the cell that are not genes, for every layer.
    loss : str
        ``"mse"``, ``"cross-entropy"`` or ``"binary-cross-entropy"``; ``"reward"`` where fitness comes from
        episodes in an environment and there are no targets.
    direct : bool
        Whether the readout also sees the input.
    feedback : bool
        Whether the last output is an extra input of the first layer.
    dtype : str
        ``"float32"`` or ``"float64"``.
    initial : mapping, optional
        ``{block or parameter name: initialisation}`` where the cell's own choice is not wanted.
    biases : bool
        Whether the readout and the cells have biases: in a cell, the vectors that are nothing but a summand
        of its equations. Without them they are neither genes nor computed.

    Raises
    ------
    ConfigError
        With everything that is wrong, at once.
    """

    def predict(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        state: np.ndarray | None = None,
        return_state: bool = False,
        *,
        lengths: np.ndarray | None = None,
        free_from: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> Any:
        """Return the outputs of a genome.

        Parameters
        ----------
        genome : ndarray, shape (n,)
        x : ndarray, shape (B, T, I)
        state : ndarray, shape (B, S), optional
            What an earlier call returned; zero by default.
        return_state : bool
            Whether to return the state after each sequence's last step as well.
        lengths : ndarray of int, shape (B,), optional
        free_from : ndarray of int, shape (B,), optional
            From this time step on, the first O inputs are the network's own last output.
        teacher : ndarray, shape (B, T, O), optional
            In networks that see their last output: what they see in its place at each time step.

        Returns
        -------
        ndarray, shape (B, T, O)
            Zero beyond a sequence's length; logits for classes.
        state : ndarray, shape (B, S)
            Only with `return_state`.
        """
        vector = self.check_genome(genome)
        shown = arguments.sequences(self, x, lengths, state=state, teacher=teacher, free_from=free_from)
        run = self._programs.run(vector, self._numbers, shown, "outputs")
        return run if return_state else run[0]

    def states(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the output of the last layer at every time step, shape (B, T, H); see `predict`."""
        vector = self.check_genome(genome)
        shown = arguments.sequences(self, x, lengths, state=state, teacher=teacher)
        return self._programs.run(vector, self._numbers, shown, "hidden")[0]

    def population_states(
        self,
        genomes: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the output of the last layer of every genome (P, n), shape (P, B, T, H); see `states`."""
        shown = arguments.sequences(self, x, lengths, teacher=teacher)
        return self._programs.hidden_states(arguments.genomes(self, genomes), self._numbers, shown)

    def fitness(self, genomes: np.ndarray, batch: Batch, free_from: np.ndarray | None = None) -> np.ndarray:
        """Return the negative loss of each genome, shape (P,), float64; ``-inf`` where it is not finite.

        With `free_from` (B,) sequences run in closed loop from those steps on; see `predict`.
        """
        sums = self._loss_sums(genomes, batch, free_from)
        with np.errstate(invalid="ignore", over="ignore"):
            losses = sums.sum(axis=1) / self._scored_entries(batch).sum()
        return np.where(np.isfinite(losses), -losses, -np.inf)

    def sequence_losses(self, genomes: np.ndarray, batch: Batch) -> np.ndarray:
        """Return each sequence's own mean loss, shape (P, B), float64; NaN where nothing of it is scored."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._loss_sums(genomes, batch) / self._scored_entries(batch)

    def loss(self, genome: np.ndarray, batch: Batch, free_from: np.ndarray | None = None) -> float:
        """Return the loss of one genome; with `free_from` (B,) in closed loop from those steps on."""
        sums = self._loss_sums(np.asarray(genome)[None], batch, free_from, sparse=True)
        with np.errstate(invalid="ignore", over="ignore"):
            return float(sums.sum() / self._scored_entries(batch).sum())

    def loss_and_gradient(
        self,
        genome: np.ndarray,
        batch: Batch,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return the loss of a genome (n,) and its exact gradient (n,) in the network's dtype."""
        self.check_batch(batch)
        entries = float(self._scored_entries(batch).sum())
        vector = self.check_genome(genome)
        met = arguments.conditions(self, batch.inputs, batch.lengths, state=state, teacher=teacher)
        total, gradient = self._programs.gradient(vector, self._numbers, batch, met, 1.0 / entries)
        return total / entries, gradient

    def vjp(
        self,
        genome: np.ndarray,
        x: np.ndarray,
        output_gradient: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        state: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the gradient (n,) of any function of the outputs, from its gradient there, (B, T, O)."""
        given = numeric("output_gradient", output_gradient)
        shown = arguments.sequences(self, x, lengths, state=state, teacher=teacher)
        wanted = (*shown.x.shape[:2], self.outputs)
        if given.shape != wanted:
            raise ShapeError(f"output_gradient: expected shape {wanted}, got {given.shape}")
        return self._programs.vjp(self.check_genome(genome), self._numbers, shown, given)

    # --- Acting ------------------------------------------------------------------------------------

    def simulate(
        self,
        genomes: np.ndarray,
        environment: Environment,
        starts: np.ndarray,
        time_limit: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let every individual act from every start, each episode from a network state of zero.

        Parameters
        ----------
        genomes : ndarray, shape (P, n)
        environment : Environment
            As many observations as the network has inputs, as many actions as it has outputs.
        starts : ndarray, shape (E, states)
            As `evorrn.worlds.environment_starts` returns them.
        time_limit : int, optional
            Time steps of an episode at most; by default the environment's own.

        Returns
        -------
        returns : ndarray, shape (P, E)
            Sums of rewards in float64; NaN where a reward or an action was not finite, which ends an episode.
        lengths : ndarray of int64, shape (P, E)
            Time steps made.

        Raises
        ------
        ConfigError
            When the environment does not fit the network, or cannot run.
        ShapeError
            When genomes or starts do not fit.
        """
        return self._simulator.simulate(
            arguments.genomes(self, genomes), self._numbers, environment, starts, time_limit
        )

    def trajectory(
        self, genome: np.ndarray, environment: Environment, start: np.ndarray, time_limit: int | None = None
    ) -> Trajectory:
        """Return one episode of a genome (n,) from a start (states,), bit for bit as `simulate` runs it."""
        return self._simulator.trajectory(
            self.check_genome(genome), self._numbers, environment, start, time_limit
        )

    # --- Cost --------------------------------------------------------------------------------------

    def forward_work(self, batch: Batch, genome: np.ndarray | None = None) -> int:
        """Return the multiply-adds of one genome's pass over a batch.

        With a genome, the zeros of recurrent matrices that have few other entries are not counted.
        """
        saved = 0 if genome is None else self._programs.saved_work(np.asarray(genome))
        return (self._costs[0] - saved) * batch.moved_steps

    def backward_work(self, batch: Batch) -> int:
        """Return the multiply-adds that the adjoint adds to a forward pass."""
        return self._costs[1] * batch.moved_steps

    def simulation_work(self, lengths: np.ndarray) -> int:
        """Return the multiply-adds of episodes of these lengths.

        They are the network's. What an environment computes itself is not known; it shows in its steps.
        """
        return self._costs[0] * int(np.sum(lengths))

    @property
    def compile_seconds(self) -> float:
        """Time spent so far on making this network's programs ready."""
        return self._programs.compile_seconds + self._simulator.compile_seconds

    def kernel_source(self, environment: Environment | None = None) -> str:
        """Return the emitted source of this network's programs, or of the one that acts in an environment."""
        return self._programs.source() if environment is None else self._simulator.source(environment)

    @cached_property
    def _costs(self) -> tuple[int, int]:
        graph = self.step.graph
        forward = graph.cost(self.sizes, graph.reachable(graph.outputs.values()))
        derived = self.step.adjoint
        wanted = [*derived.graph.outputs.values(), *(term for _, term in derived.parameter_terms)]
        nodes = derived.graph.reachable(wanted, range(len(graph.nodes)))
        return forward, derived.graph.cost(self.sizes, nodes)

    # --- What runs it ------------------------------------------------------------------------------

    def with_options(self, options: Mapping[str, float]) -> Network:
        """Return the same network with other numeric options of its cell; nothing is compiled again."""
        numbers, functions = self.cell.check_options({**self.cell_options, **options})
        if functions != self._activations:
            raise ConfigError("network.cell_options: an activation cannot be changed after a network is made")
        self._programs, self._simulator  # noqa: B018  (made before the copy, so that both share them)
        twin = copy.copy(self)
        twin._numbers = numbers
        return twin

    @cached_property
    def _programs(self) -> Programs:
        from evorrn.programs import Programs

        return Programs(self)

    @cached_property
    def _simulator(self) -> Simulator:
        from evorrn.simulation import Simulator

        return Simulator(self)

    # --- Checks ------------------------------------------------------------------------------------

    def check_genome(self, genome: np.ndarray) -> np.ndarray:
        """Return a genome as a vector of the network's dtype; raises ShapeError when it does not fit."""
        return arguments.genomes(self, np.asarray(genome)[None])[0]

    def check_batch(self, batch: Batch) -> None:
        """Raise ShapeError when a batch does not fit this network, ConfigError when none does."""
        arguments.check_batch(self, batch)

    def _loss_sums(
        self, genomes: np.ndarray, batch: Batch, free_from: np.ndarray | None = None, sparse: bool = False
    ) -> np.ndarray:
        met = arguments.conditions(self, batch.inputs, batch.lengths, free_from=free_from)
        self.check_batch(batch)
        return self._programs.loss_sums(arguments.genomes(self, genomes), self._numbers, batch, met, sparse)

    def _scored_entries(self, batch: Batch) -> np.ndarray:
        """Return how many entries of each sequence are averaged: steps for classes, else outputs too."""
        steps = batch.scored.sum(axis=1)
        return steps if self.loss_name == "cross-entropy" else steps * self.outputs
