"""Scores of networks whose loss looks at whole sequences, and the labels that their outputs stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.label_metrics import evaluate_sequences
from evorrn.losses.sequence import SequenceLoss

if TYPE_CHECKING:
    from evorrn.network.network import Network


def score_decoded(
    loss: SequenceLoss, outputs: np.ndarray, batch: Batch, names: Iterable[str]
) -> dict[str, float]:
    """Return metrics of outputs (B, T, O): the mean loss under its name, others from the decoded labels.

    Raises UnknownName for a name that is neither the loss's nor a key of `evorrn.data.label_metrics.SEQUENCE_METRICS`. Where an
    output is not finite, every metric is NaN.
    """
    assert batch.lengths is not None
    wanted = [name for name in names if name != loss.name]
    found = {}
    if not np.isfinite(outputs[batch.scored]).all():
        found = dict.fromkeys((*wanted, loss.name), np.nan)
    else:
        found[loss.name] = float(np.mean(loss.losses(outputs, batch.rows, batch.lengths)))
        decoded = loss.decode(outputs, batch.lengths) if wanted else []
        found |= evaluate_sequences(wanted, decoded, batch.rows)
    return {name: found[name] for name in names}


def score_answers(
    network: Network, genome: np.ndarray, outputs: np.ndarray, batch: Batch, names: Iterable[str]
) -> dict[str, float]:
    """Return metrics of a network that decodes: ``cross_entropy`` is its loss, others are from its most probable symbols.

    `outputs` are those of `predict` without a teacher. Where one is not finite, every metric is NaN.
    """
    wanted, loss = list(names), network.loss_function
    assert isinstance(loss, SequenceLoss) and batch.lengths is not None
    if not np.isfinite(outputs).all():
        return dict.fromkeys(wanted, np.nan)
    found = evaluate_sequences(
        [name for name in wanted if name not in ("cross_entropy", loss.name)],
        loss.decode(outputs, batch.lengths),
        batch.rows,
    )
    if len(found) < len(wanted):
        found |= dict.fromkeys(("cross_entropy", loss.name), network.loss(genome, batch))
    return {name: found[name] for name in wanted}


def answer_steps(batch: Batch) -> int:
    """Return the most symbols of an answer that is scored: one more than the longest target, whose end is then missed."""
    return batch.targets.shape[1] + 1


def decoded_arrays(loss: SequenceLoss, outputs: np.ndarray, batch: Batch) -> dict[str, np.ndarray]:
    """Return what the predictions of a run hold besides outputs: numbers of true labels, and the decoded labels.

    ``tokens`` (B, V) are zero beyond ``token_lengths`` (B,). A loss without decoding has none.
    """
    assert batch.lengths is not None and batch.target_lengths is not None
    arrays = {"target_lengths": batch.target_lengths}
    if not loss.decodes:
        return arrays
    tokens, lengths = padded(loss.decode(outputs, batch.lengths))
    return {**arrays, "tokens": tokens, "token_lengths": lengths}


def padded(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of sequences as one array (B, V), zero beyond their numbers (B,), and these numbers."""
    lengths = np.array([len(row) for row in rows], np.int64)
    array = np.zeros((len(rows), int(lengths.max(initial=0))), np.int64)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array, lengths
