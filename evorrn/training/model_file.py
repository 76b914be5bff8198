"""The file of a model: a tree of plain data and arrays, in which nothing is pickled."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.base.errors import EvorrnError, RunError
from evorrn.base.files import load_tree, save_tree
from evorrn.base.trust import only_recorded, trusting
from evorrn.data.task import Scaling

if TYPE_CHECKING:
    from evorrn.network.network import Network

KIND = "evorrn model 1"
"""Says what the file is and the version of its content."""


def write(path: Path, settings: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write the settings of a network and the other attributes of a model to a file.

    For a cell in a file of the user's own, the SHA-256 of that file is written too: the same file is imported again
    without being asked about.

    Raises
    ------
    EvorrnError
        When the file cannot be written.
    """
    scaling = values["scaling"]
    tables = [settings] if "cell" in settings else [settings["encoder"], settings["decoder"]]
    cells = [table["cell"] if isinstance(table["cell"], list) else [table["cell"]] for table in tables]
    named = [*itertools.chain.from_iterable(cells), settings.get("loss", "")]
    sources = [str(each).rpartition(":")[0] for each in named]
    content = {
        "kind": KIND,
        "network": dict(settings),
        "files": [_digest(Path(source)) for source in sources if source.endswith(".py")],
        "genome": values["genome"],
        "scaling": None if scaling is None else dict(vars(scaling)),
        "horizon": values["horizon"],
        "input_names": tuple(values["input_names"]),
        "output_names": tuple(values["output_names"]),
        "table": dict(values["table"]),
        "residuals": values["residuals"],
    }
    try:
        save_tree(path, content)
    except OSError as error:
        raise EvorrnError(f"cannot write {path}: {error.strerror or error}") from None


def read(path: Path, trust: bool | None) -> dict[str, Any]:
    """Return the attributes of the model in a file, the network among them.

    Raises
    ------
    RunError
        When the file is missing, damaged or no model of evorrn, or when its cell may not be imported.
    """
    from evorrn.network.network import Network

    tree = load_tree(path)
    kind = tree.get("kind") if isinstance(tree, dict) else None
    if kind != KIND:
        raise RunError(f"{path}: expected a model that save_model wrote, got {_named(kind)}")
    try:
        with nullcontext() if trust is None else trusting(trust), only_recorded(tree["files"]):
            network = Network.from_settings(tree["network"])
        genome = network.check_genome(tree["genome"])
        scaling = None if tree["scaling"] is None else _scaling(tree["scaling"], network)
        names = {name: tuple(map(str, tree[name])) for name in ("input_names", "output_names")}
        rest = {
            "horizon": tree["horizon"],
            "table": dict(tree["table"]),
            "residuals": _residuals(tree, network),
        }
        return {"genome": genome, "network": network, "scaling": scaling, **names, **rest}
    except Exception as error:  # a file that was changed by hand can fail in any way
        raise RunError(f"{path}: expected a model, but it cannot be read ({error})") from None


def _named(kind: Any) -> str:
    return "another file of evorrn" if kind is None else f"a file of the kind {str(kind)[:40]!r}"


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty, so that the file is not trusted, when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _residuals(tree: Mapping[str, Any], network: Network) -> np.ndarray | None:
    """Return the residuals (n, O); raise ValueError when they do not fit the outputs of the network."""
    if tree["residuals"] is None:
        return None
    array = np.asarray(tree["residuals"], np.float64)
    if array.ndim != 2 or array.shape[1] != network.outputs:
        raise ValueError(f"residuals: expected shape (n, {network.outputs}), got {array.shape}")
    return array


def _scaling(values: Mapping[str, Any], network: Network) -> Scaling:
    """Return a scaling; raise ValueError where an array does not fit the inputs or outputs of the network."""
    sizes = {"input": network.inputs, "target": network.outputs}
    arrays = {field.name: np.asarray(values[field.name], np.float64) for field in fields(Scaling)}
    for name, array in arrays.items():
        width = sizes[name.partition("_")[0]]
        if array.shape not in ((width,), (1,), ()) and not (name[0] == "t" and network.loss_function.labels):
            raise ValueError(f"scaling.{name}: expected shape ({width},), got {array.shape}")
    return Scaling(**arrays)
