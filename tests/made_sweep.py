"""A made-up sweep on disk, written without training: what each run reached is known."""

from __future__ import annotations

import hashlib
import itertools
import json

import numpy as np
import tomli_w

AXES = {
    "task.name": ["mackey-glass", "narma"],
    "strategy.name": ["ga", "esn", "bptt"],
    "network.cell": ["elman", "lstm"],
    "network.hidden": [8, 16],
}
FACTORS = {"ga": 1.3, "esn": 1.1, "bptt": 1.0, "elman": 1.0, "lstm": 0.8, 8: 1.25, 16: 1.0}
LEVELS = {"mackey-glass": 0.1, "narma": 0.4}


def run_folder(axes, seed):
    """Return the id and the folder of a run."""
    name = hashlib.sha256(json.dumps([axes, seed]).encode()).hexdigest()[:16]
    task = axes["task.name"].rpartition(":")[2].lower()  # of a file's task its name
    return name, f"{task}/{axes['strategy.name']}-{axes['network.cell']}/{name}"


def write_run(
    root,
    axes,
    seed,
    value,
    *,
    valid=None,
    status="complete",
    metric="nrmse_std",
    rmse=None,
    history=True,
    **more,
):
    """Write one run folder as the runner does, and return its line of the sweep's list."""
    name, folder = run_folder(axes, seed)
    path = root / folder
    path.mkdir(parents=True)
    spec = {
        "seed": seed,
        "budget": "5G",
        "task": {"version": 1},
        "network": {"dtype": "float32"},
        "strategy": {},
    }
    for dotted, setting in axes.items():
        section, _, key = dotted.partition(".")
        if key:
            spec[section][key] = setting
        else:
            spec[section] = setting
    (path / "spec.toml").write_text(tomli_w.dumps(spec))
    (path / "env.json").write_text(
        json.dumps({"evorrn": "0.1.0", "python": "3.11.2", "host": f"node{seed % 2}"})
    )
    (path / "status.json").write_text(json.dumps({"status": status, **more}))
    if status == "complete":
        scores = {"train": {metric: value * 0.9}, "valid": {metric: value if valid is None else valid}}
        scores["valid"]["rmse"] = scores["valid"][metric]
        result = {
            "stopped_by": "work",
            "metrics": {**scores, "test": {metric: value, "rmse": value / 2 if rmse is None else rmse}},
            "meter": {"work": 5_000_000_000, "steps_forward": 16_000_000, "steps_backward": 4_000_000},
            "times": {"seconds": 2.5, "compile_seconds": 1.0},
        }
        (path / "result.json").write_text(json.dumps(result))
        if history:
            steps = np.arange(1, 21)
            losses = value**2 * (1 + 8 * np.exp(-steps / 4))
            lines = [
                {"work": int(step * 2.5e8), "steps": int(step * 1e6), "train_loss": loss, "valid_loss": loss}
                for step, loss in zip(steps, losses.tolist())
            ]
            (path / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            (path / "timing.jsonl").write_text("".join(f'{{"seconds": {step / 8}}}\n' for step in steps))
    return json.dumps({"id": name, "folder": folder, "axes": {**axes, "seed": seed}})


def write_list(root, lines, axes=AXES, name="made-up"):
    """Write the folder of the sweep, and return it."""
    folder = root / "sweeps" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.toml").write_text(tomli_w.dumps({"name": name, "seeds": 10, "axes": axes}))
    (folder / "runs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def write_sweep(root, *, axes=AXES, seeds=10, levels=LEVELS, noise=0.02, trouble=True, history=True):
    """Write a sweep, and return its folder.

    With trouble, of seed 0 on the first task: ga has failed, esn's files are damaged, bptt's are missing, each
    with the lstm and 16 units.
    """
    rng = np.random.default_rng(0)
    lines = []
    for point in itertools.product(*axes.values()):
        values = dict(zip(axes, point))
        base = levels[values["task.name"]] * np.prod([FACTORS.get(value, 1.0) for value in point])
        for seed in range(seeds):
            error = float(base * np.exp(noise * rng.normal()))
            first = values["task.name"] == next(iter(levels)) and point[-2:] == ("lstm", 16)
            if trouble and seed == 0 and first and values["strategy.name"] == "bptt":
                name, folder = run_folder(values, seed)
                lines.append(json.dumps({"id": name, "folder": folder, "axes": {**values, "seed": seed}}))
                continue
            if trouble and seed == 0 and first and values["strategy.name"] == "ga":
                told = {
                    "status": "failed",
                    "error": "MemoryError: <no> more",
                    "traceback": "Traceback: <here>",
                }
                lines.append(write_run(root, values, seed, error, **told))
                continue
            lines.append(write_run(root, values, seed, error, history=history))
            if trouble and seed == 0 and first and values["strategy.name"] == "esn":
                (root / run_folder(values, seed)[1] / "result.json").write_text('{"metrics": ')
    return write_list(root, lines, axes)
