"""Genomes as safetensors files: each block under its name, and the settings of the network in the metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, DataError, EvorrnError, ShapeError, unknown

FORMAT = "evorrn"
"""The name of the entry of the metadata that holds the settings of the network as JSON text."""
FREE = ("dtype", "loss", "initial")
"""The settings that may differ between the network of a file and the one that reads it: they change no output."""


def safetensors_bytes(blocks: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> bytes:
    """Return the blocks of a genome and the settings of its network as the bytes of a safetensors file."""
    numpy_format = _library().numpy
    tensors = {name: np.ascontiguousarray(block) for name, block in blocks.items()}
    return bytes(numpy_format.save(tensors, {FORMAT: json.dumps(settings)}))


def read_safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the blocks in a safetensors file.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to tuple of int
        The shape of each block by its name.
    settings : mapping
        The settings of the network; a file without the settings of its network is read by its names and shapes alone.

    Raises
    ------
    DataError
        When the file cannot be read, or a tensor is of no type that NumPy has.
    ConfigError
        Listing every setting of the file's network that differs.
    ShapeError
        Listing every block that is missing, unknown or has another shape.
    """
    library = _library()
    try:
        with library.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            found = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (OSError, ValueError, TypeError, AttributeError, library.SafetensorError) as error:
        raise DataError(f"{path}: expected a safetensors file, but it cannot be read ({error})") from None
    _check_settings(path, metadata, settings)
    problems = [unknown("block", name, shapes) for name in found if name not in shapes]
    for name, shape in shapes.items():
        if name not in found:
            problems.append(f"block {name!r} of shape {shape} is missing")
        elif found[name].shape != shape:
            problems.append(f"block {name!r}: expected shape {shape}, got {found[name].shape}")
        elif found[name].dtype.kind != "f":
            problems.append(f"block {name!r}: expected floats, got {found[name].dtype}")
    if problems:
        raise ShapeError("\n".join(f"{path}: {problem}" for problem in problems))
    return found


def _check_settings(path: Path, metadata: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    """Raise ConfigError when the metadata name a network that computes something else."""
    if FORMAT not in metadata:
        return
    try:
        stored = dict(json.loads(metadata[FORMAT]))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: the settings of its network cannot be read ({error})") from None
    problems = []
    for name in sorted({*stored, *wanted} - {*FREE}):
        mine, theirs = (_plain(name, settings.get(name, "the default")) for settings in (wanted, stored))
        if mine != theirs:
            problems.append(f"{path}: network.{name}: expected {mine}, got {theirs}")
    if problems:
        raise ConfigError(problems)


def _plain(name: str, value: Any) -> Any:
    """Return a setting as JSON holds it, of a cell in a file of the user's own the name alone."""
    return re.sub(r'"[^"]*:', '"', json.dumps(value)) if name == "cell" else json.dumps(value)


def _library() -> Any:
    """Return the module safetensors; raise EvorrnError when it is not installed."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise EvorrnError("safetensors files need safetensors: pip install 'evorrn[safetensors]'") from None
    return safetensors
