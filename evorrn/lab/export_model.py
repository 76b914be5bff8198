"""The trained network of a run as one file for other programs."""

from __future__ import annotations

from pathlib import Path

from evorrn.base.errors import ConfigError, UnknownName
from evorrn.lab.runs.source import model_of, source_of
from evorrn.lab.runs.store import RunFolder

FORMATS = {
    "model": "a file for evorrn.load_model, evorrn predict and evorrn forecast: predictions and forecasts in original units",
    "onnx": "an ONNX model with inputs x (B, T, I) and outputs y (B, T, O) in original units",
    "safetensors": "the weights by block, with the settings of the network; values are scaled as in training",
}
"""The formats by name, which is also the suffix of their files, and what each holds."""


def export_model(run: RunFolder, form: str | None, path: Path | None) -> tuple[Path, str]:
    """Write the trained network of a complete run to a file; return its path and what it holds.

    Parameters
    ----------
    run : RunFolder
    form : str or None
        One of `FORMATS`; by default that which the suffix of the path names, else ``"model"``.
    path : Path or None
        By default the id of the run with the format as its suffix, in the working folder.

    Raises
    ------
    EvorrnError
        When the format is unknown, the run is not complete, its network has no such form, a library is missing, or the
        file cannot be written.
    """
    suffix = "" if path is None else path.suffix.lstrip(".")
    if form is None:
        form = suffix if suffix in FORMATS else "model"
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if suffix in FORMATS and suffix != form:
        raise ConfigError(f"--out: expected a name that ends in .{form}, got {path}")
    target = path or Path(f"{run.id}.{form}")
    model = model_of(source_of(run))
    if form == "onnx":
        model.to_onnx(target)
    elif form == "safetensors":
        model.network.to_safetensors(model.genome, target)
    else:
        model.save_model(target)
    return target, FORMATS[form]
