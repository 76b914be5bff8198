"""The function `assess`: makes the assessment of a run from a task, an environment or batches."""

from __future__ import annotations

from collections.abc import Sequence

from evorrn.base.errors import ConfigError
from evorrn.data.batch import Batch
from evorrn.data.environment import Environment
from evorrn.data.task import Splits, Task
from evorrn.training.assessment import Assessment, SequenceAssessment
from evorrn.training.episodes import EpisodeAssessment
from evorrn.training.multistep import MultistepAssessment
from evorrn.training.playing import starts_of


def assess(
    data: Task | Environment | Batch | Splits | Sequence[Batch], seed: int, free_run: bool | None = None
) -> Assessment:
    """Return the assessment of a task or an environment for a seed, or of one to three batches.

    `free_run` is that of `evorrn.Strategy.fit`.

    Raises
    ------
    ConfigError
        When `data` is none of these, or a free run is wanted of data whose targets are not the next inputs.
    """
    if isinstance(data, Environment):
        if free_run:
            raise ConfigError(
                "free_run: expected sequences whose targets are the next inputs, got an environment"
            )
        return EpisodeAssessment(data, starts_of(data, seed), seed)
    if isinstance(data, Task):
        if data.multistep != "direct":
            if free_run:
                raise ConfigError(f"free_run: expected a task with multistep direct, got {data.multistep}")
            return MultistepAssessment(data, seed)
        return SequenceAssessment(data.data(seed), data, free_run)
    return SequenceAssessment(as_splits(data), free_run=free_run)


def as_splits(data: Batch | Splits | Sequence[Batch]) -> Splits:
    """Return one to three batches as splits: training, validation and test data, in this order.

    Raises
    ------
    ConfigError
        When `data` is neither a Batch, nor Splits, nor a sequence of one to three Batch.
    """
    if isinstance(data, Splits):
        return data
    batches = list(data) if isinstance(data, Sequence) else [data]
    if not 1 <= len(batches) <= 3 or not all(isinstance(batch, Batch) for batch in batches):
        raise ConfigError(
            "data: expected a Task, an Environment, a Batch, or a sequence (train, valid, test) of one to three "
            "Batch"
        )
    valid, test = [*batches[1:], None, None][:2]
    return Splits(batches[0], valid, test)
