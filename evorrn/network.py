"""Network: layers of cells and a linear readout, compiled to one program over time."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn import arguments, torch_weights
from evorrn.batch import Batch, numeric
from evorrn.compile.grammar import Cell
from evorrn.compile.step import Step, compose
from evorrn.errors import ConfigError, EvorrnError, ShapeError, unknown
from evorrn.initial import INITIALISERS
from evorrn.registry import cells, find_cell
from evorrn.settings import check_seed

if TYPE_CHECKING:
    from evorrn.environment import Environment
    from evorrn.programs import Programs
    from evorrn.simulation import Simulator, Trajectory
    from evorrn.task import Task

LOSSES = ("mse", "cross-entropy", "binary-cross-entropy", "reward")
DTYPES = ("float32", "float64")


class Network:
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

    def __init__(
        self,
        inputs: int,
        outputs: int,
        cell: str | Cell = "elman",
        hidden: int | Sequence[int] = 16,
        cell_options: Mapping[str, Any] | None = None,
        loss: str = "mse",
        direct: bool = False,
        feedback: bool = False,
        dtype: str | np.dtype | type = "float32",
        initial: Mapping[str, str] | None = None,
        biases: bool = True,
    ) -> None:
        problems: list[str] = []
        sizes: tuple[Any, ...] = tuple(hidden) if isinstance(hidden, list | tuple | np.ndarray) else (hidden,)
        for name, value in (("inputs", inputs), ("outputs", outputs), *(("hidden", size) for size in sizes)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                problems.append(f"network.{name}: expected a whole number of at least 1, got {value!r}")
        if not sizes:
            problems.append("network.hidden: expected at least one layer, got none")
        if loss not in LOSSES:
            problems.append(f"network.loss: {unknown('loss', loss, LOSSES)}")
        kind = getattr(dtype, "name", None) or getattr(dtype, "__name__", str(dtype))
        if kind not in DTYPES:
            problems.append(f"network.dtype: {unknown('dtype', kind, DTYPES)}")
        for name, flag in (("direct", direct), ("feedback", feedback), ("biases", biases)):
            if not isinstance(flag, bool | np.bool_):
                problems.append(f"network.{name}: expected true or false, got {flag!r}")
        options: tuple[dict[str, float], dict[str, str]] = ({}, {})
        try:
            self.cell = find_cell(cell)
            options = self.cell.check_options(_mapping("cell_options", cell_options))
        except EvorrnError as error:
            problems.append(f"network.cell: {error}")
        if problems:
            raise ConfigError(problems)
        self.inputs, self.outputs = int(inputs), int(outputs)
        self.hidden = tuple(int(size) for size in sizes)
        self.loss_name = loss
        self.direct, self.feedback, self.biases = bool(direct), bool(feedback), bool(biases)
        self.dtype = np.dtype(kind)
        self._reference = cell if isinstance(cell, str) and ".py:" not in cell else _reference(self.cell)
        self._numbers, self._activations = options
        self.step: Step = compose(
            [self.cell] * len(self.hidden),
            [self._activations] * len(self.hidden),
            direct=self.direct,
            feedback=self.feedback,
            biases=self.biases,
        )
        self.blocks: dict[str, tuple[int, ...]] = {
            name: tuple(self.sizes[d] for d in shape) for name, shape in self.step.parameters.items()
        }
        self._initial = self._choose_initial(_mapping("initial", initial))

    # --- What it is --------------------------------------------------------------------------------

    @classmethod
    def for_task(cls, task: Task | Environment, **settings: Any) -> Network:
        """Make a network with sizes and loss from a task or an environment; see `Network` for the settings."""
        return cls(task.inputs, task.outputs, loss=task.loss, **settings)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Network:
        """Make a network from what `settings` returned."""
        return cls(**settings)

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments that make this network again, as plain data.

        `biases` is named only where there are none, so that networks with them have the settings, and runs
        the names, that they had before it could be chosen.
        """
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "cell": self._reference,
            "hidden": list(self.hidden),
            "cell_options": self.cell_options,
            "loss": self.loss_name,
            "direct": self.direct,
            "feedback": self.feedback,
            "dtype": self.dtype.name,
            "initial": {
                name: way for name, way in self._initial.items() if way != self._default_initial(name)
            },
            **({} if self.biases else {"biases": False}),
        }

    @property
    def cell_options(self) -> dict[str, Any]:
        """The options of the cell, activations by name."""
        return {**self._activations, **self._numbers}

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
    def size(self) -> int:
        """Genes of the genome, n."""
        return sum(int(np.prod(shape)) for shape in self.blocks.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of all symbolic dimensions."""
        given = {"I": self.inputs, "O": self.outputs}
        given.update({f"H{layer}": size for layer, size in enumerate(self.hidden)})
        given["I+O"] = self.inputs + self.outputs
        return given

    @property
    def state_size(self) -> int:
        """Numbers carried from one time step to the next."""
        return sum(self.sizes[dimension] for dimension in self.step.states.values())

    def __repr__(self) -> str:
        hidden = self.hidden[0] if len(self.hidden) == 1 else self.hidden
        return f"Network({self.inputs} -> {self.cell.name} {hidden} -> {self.outputs}, {self.size} genes)"

    # --- Genomes -----------------------------------------------------------------------------------

    def init(self, seed: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return a random genome (n,), from a seed or a generator."""
        if (seed is None) == (rng is None) or not (rng is None or isinstance(rng, np.random.Generator)):
            raise EvorrnError("init: expected either a seed or rng=Generator")
        return self.init_many(np.random.default_rng(check_seed(seed)) if rng is None else rng, 1)[0]

    def init_many(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random genomes (count, n); drawn block by block, so not as one by one."""
        parts = []
        for name, shape in self.blocks.items():
            layer = len(self.hidden) - 1 if name.startswith("readout") else int(name.split(".")[0][5:])
            drawn = INITIALISERS[self._initial[name]](rng, count, shape, self.hidden[layer])
            parts.append(drawn.reshape(count, -1))
        return np.concatenate(parts, axis=1).astype(self.dtype)

    def unpack(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return named views of a genome (n,), or of anything that lies like one, such as a gradient."""
        array = np.asarray(genome)
        if array.shape != (self.size,):
            raise ShapeError(f"genome: expected shape ({self.size},), got {array.shape}")
        views, start = {}, 0
        for name, shape in self.blocks.items():
            stop = start + int(np.prod(shape))
            views[name] = array[start:stop].reshape(shape)
            start = stop
        return views

    def pack(self, blocks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the genome (n,) of named blocks; the inverse of `unpack`."""
        problems = [unknown("block", name, self.blocks) for name in blocks if name not in self.blocks]
        for name, shape in self.blocks.items():
            if name not in blocks:
                problems.append(f"block {name!r} of shape {shape} is missing")
            elif np.shape(blocks[name]) != shape:
                problems.append(f"block {name!r}: expected shape {shape}, got {np.shape(blocks[name])}")
        if problems:
            raise ShapeError("\n".join(problems))
        parts = [np.asarray(blocks[name]).ravel() for name in self.blocks]
        kind = np.result_type(*parts)
        return np.concatenate(parts).astype(kind if kind.kind == "f" else self.dtype)

    def from_torch(self, state_dict: Mapping[str, Any]) -> np.ndarray:
        """Return the genome (n,) of a PyTorch state dict with ``rnn.*`` and ``readout.*``."""
        return torch_weights.from_torch(self, state_dict)

    def to_torch(self, genome: np.ndarray) -> dict[str, np.ndarray]:
        """Return a genome, or a gradient, as arrays under PyTorch's names."""
        return torch_weights.to_torch(self, genome)

    def check_genome(self, genome: np.ndarray) -> np.ndarray:
        """Return a genome as a vector of the network's dtype; raises ShapeError when it does not fit."""
        return arguments.genomes(self, np.asarray(genome)[None])[0]

    # --- Running -----------------------------------------------------------------------------------

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
        run = self._programs.run(
            self.check_genome(genome),
            self._numbers,
            *arguments.sequences(self, x, lengths),
            state=arguments.state(self, state, np.shape(x)[0]),
            free_from=arguments.free_from(self, free_from, x),
            teacher=arguments.teacher(self, teacher, x, lengths),
            want="outputs",
        )
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
        return self._programs.run(
            self.check_genome(genome),
            self._numbers,
            *arguments.sequences(self, x, lengths),
            state=arguments.state(self, state, np.shape(x)[0]),
            free_from=None,
            teacher=arguments.teacher(self, teacher, x, lengths),
            want="hidden",
        )[0]

    def population_states(
        self,
        genomes: np.ndarray,
        x: np.ndarray,
        *,
        lengths: np.ndarray | None = None,
        teacher: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the output of the last layer of every genome (P, n), shape (P, B, T, H); see `states`."""
        inputs, ends = arguments.sequences(self, x, lengths)
        return self._programs.hidden_states(
            arguments.genomes(self, genomes),
            self._numbers,
            inputs,
            ends,
            arguments.state(self, None, len(inputs)),
            arguments.teacher(self, teacher, x, lengths),
        )

    def fitness(self, genomes: np.ndarray, batch: Batch, free_from: np.ndarray | None = None) -> np.ndarray:
        """Return the negative loss of each genome, shape (P,), float64; ``-inf`` where it is not finite.

        With `free_from` (B,) sequences run in closed loop from those steps on; see `predict`.
        """
        sums = self._loss_sums(genomes, batch, arguments.free_from(self, free_from, batch.inputs))
        with np.errstate(invalid="ignore", over="ignore"):
            losses = sums.sum(axis=1) / self._scored_entries(batch).sum()
        return np.where(np.isfinite(losses), -losses, -np.inf)

    def sequence_losses(self, genomes: np.ndarray, batch: Batch) -> np.ndarray:
        """Return each sequence's own mean loss, shape (P, B), float64; NaN where nothing of it is scored."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._loss_sums(genomes, batch) / self._scored_entries(batch)

    def loss(self, genome: np.ndarray, batch: Batch, free_from: np.ndarray | None = None) -> float:
        """Return the loss of one genome; with `free_from` (B,) in closed loop from those steps on."""
        sums = self._loss_sums(
            np.asarray(genome)[None], batch, arguments.free_from(self, free_from, batch.inputs), sparse=True
        )
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
        total, gradient = self._programs.gradient(
            self.check_genome(genome),
            self._numbers,
            batch,
            arguments.state(self, state, batch.size),
            arguments.teacher(self, teacher, batch.inputs, batch.lengths),
            1.0 / entries,
        )
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
        inputs, ends = arguments.sequences(self, x, lengths)
        if given.shape != (*inputs.shape[:2], self.outputs):
            wanted = (*inputs.shape[:2], self.outputs)
            raise ShapeError(f"output_gradient: expected shape {wanted}, got {given.shape}")
        return self._programs.vjp(
            self.check_genome(genome),
            self._numbers,
            inputs,
            ends,
            given,
            arguments.state(self, state, len(inputs)),
            arguments.teacher(self, teacher, x, lengths),
        )

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

        With a genome, zeros in recurrent matrices that are run as sparse are not counted.
        """
        saved = 0 if genome is None else self._programs.saved_work(np.asarray(genome), batch.size)
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

    @cached_property
    def _programs(self) -> Programs:
        from evorrn.programs import Programs

        return Programs(self)

    @cached_property
    def _simulator(self) -> Simulator:
        from evorrn.simulation import Simulator

        return Simulator(self)

    # --- Checks ------------------------------------------------------------------------------------

    def check_batch(self, batch: Batch) -> None:
        """Raise ShapeError when a batch does not fit this network, ConfigError when none does."""
        if self.loss_name == "reward":
            raise ConfigError(
                "network.loss: reward comes from an environment, see Network.simulate, not a batch"
            )
        if batch.n_inputs != self.inputs:
            raise ShapeError(f"batch: expected {self.inputs} inputs, got {batch.n_inputs}")
        if self.loss_name == "cross-entropy":
            if not batch.labelled:
                raise ShapeError("batch: cross-entropy needs integer labels (B, T) or (B,), got floats")
            if batch.n_outputs > self.outputs:
                raise ShapeError(f"batch: expected labels below {self.outputs}, got {batch.n_outputs - 1}")
        elif batch.labelled:
            raise ShapeError(
                f"batch: loss {self.loss_name} needs float targets (B, T, {self.outputs}), got labels"
            )
        elif batch.n_outputs != self.outputs:
            raise ShapeError(f"batch: expected {self.outputs} targets, got {batch.n_outputs}")

    def _loss_sums(
        self, genomes: np.ndarray, batch: Batch, free_from: np.ndarray | None = None, sparse: bool = False
    ) -> np.ndarray:
        self.check_batch(batch)
        return self._programs.loss_sums(
            arguments.genomes(self, genomes), self._numbers, batch, free_from, sparse
        )

    def _scored_entries(self, batch: Batch) -> np.ndarray:
        """Return how many entries of each sequence are averaged: steps for classes, else outputs too."""
        steps = batch.scored.sum(axis=1)
        return steps if self.loss_name == "cross-entropy" else steps * self.outputs

    def _default_initial(self, block: str) -> str:
        if block == "readout.b":
            return "zeros"
        return "glorot" if block.startswith("readout") else self.cell.initial[block.split(".", 1)[1]]

    def _choose_initial(self, given: Mapping[str, str]) -> dict[str, str]:
        ways = {name: self._default_initial(name) for name in self.blocks}
        problems = []
        for name, way in given.items():
            matching = [block for block in self.blocks if name in (block, block.split(".", 1)[1])]
            if not matching:
                problems.append(f"network.initial: {unknown('block', name, self.blocks)}")
            if not isinstance(way, str) or way not in INITIALISERS:
                problems.append(f"network.initial.{name}: {unknown('initialisation', way, INITIALISERS)}")
            elif way == "orthogonal":
                vectors = [block for block in matching if len(self.blocks[block]) == 1]
                problems += [
                    f"network.initial.{name}: {block} is a vector; orthogonal needs a matrix"
                    for block in vectors
                ]
            ways.update(dict.fromkeys(matching, way))
        if problems:
            raise ConfigError(problems)
        return ways


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"network.{name}: expected names with their values, got {value!r}")
    return value or {}


def _reference(cell: Cell) -> str:
    """Return a name from which a cell object can be found again."""
    if cells().get(cell.name) is cell:
        return cell.name
    module, name = cell.function.__module__, cell.function.__name__
    path = inspect.getsourcefile(cell.function)
    if path and (module == "__main__" or module.startswith("evorrn_user_")):
        return f"{Path(path).resolve()}:{name}"
    return f"{module}:{name}"
