"""Run a fixed set of runs with the evorrn that Python imports, and hash the files whose bytes are promised.

A change that should alter no number is proved by two of these, one with the old checkout and one with the new:

    PYTHONPATH=old:old/tasks python tests/same_bytes.py /tmp/old
    PYTHONPATH=new:new/tasks python tests/same_bytes.py /tmp/new
    python tests/same_bytes.py --compare /tmp/old/hashes.json /tmp/new/hashes.json

Only the command line and names exported from `evorrn` are used, so that modules may move. The group
`old-imports` is the exception: its files import as users' files of version 0.1.0 do, from the modules
themselves. It runs when named: ``--groups old-imports``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = Path(__file__).resolve().with_name("same_bytes_files")
"""The cases, and files as users write them: a cell, an environment, tasks, strategies, sweeps, an experiment."""

CASES = tomllib.loads((SOURCES / "cases.toml").read_text())
OPTIONAL = ("old-imports",)

NETWORKS: dict[str, dict[str, Any]] = {
    "elman": {"cell": "elman", "hidden": 5, "loss": "cross-entropy"},
    "elman-float64": {"cell": "elman", "hidden": 5, "loss": "cross-entropy", "dtype": "float64"},
    "jordan": {"cell": "jordan", "hidden": 4},
    "diagonal-jordan": {"cell": "diagonal-jordan", "hidden": 4},
    "leaky": {"cell": "leaky", "hidden": 6, "cell_options": {"leak": 0.3}, "biases": False},
    "lstm": {"cell": "lstm", "hidden": (4, 3)},
    "gru": {"cell": "gru", "hidden": 4, "feedback": True, "direct": True},
    "gru-reset-before": {"cell": "gru-reset-before", "hidden": 4, "loss": "binary-cross-entropy"},
    "indrnn": {"cell": "indrnn", "hidden": (4, 4), "cell_options": {"activation": "tanh"}},
}
SEARCHES = (
    *("GeneticAlgorithm", "TruncationGA", "CMAES", "SepCMAES", "LMMAES", "XNES", "SNES", "OpenAIES", "PGPE"),
    *("DifferentialEvolution", "SHADE", "ParticleSwarm", "OnePlusOneES", "ESP", "CoSyNE", "Evolino"),
)

# Files of runs, sweeps and comparisons whose bytes are hashed, and what is left out of those in JSON.
FILES = ("spec.toml", "history.jsonl", "genome.npz", "predictions.npz", "trajectory.npz", "runs.jsonl")
RECORDS = ("result.json", "comparison.json", "reproduction.json")
WRITTEN = (".csv", ".npy", ".search")
TIMES = ("times", "seconds", "compile_seconds", "environment")


def make_files(folder: Path) -> None:
    """Write the files of a user: those of `SOURCES`, a table, a series and ragged labelled sequences."""
    folder.mkdir(parents=True)
    for source in sorted(SOURCES.iterdir()):
        if source.is_file():
            (folder / source.name).write_bytes(source.read_bytes())
    rng = np.random.default_rng(1)
    hours = np.arange(400)
    heat = np.round(10 + 5 * np.sin(hours / 12) + rng.standard_normal(400), 3)
    load = np.round(100 - 2 * heat + 10 * np.sin(hours / 3.8), 3)
    rows = "".join(f"{hour},{a},{b}\n" for hour, a, b in zip(hours, heat, load))
    (folder / "load.csv").write_text("hour,heat,load\n" + rows)
    wave = np.sin(0.4 * np.arange(301)) + 0.5 * np.sin(0.93 * np.arange(301))
    np.savez(folder / "series.npz", inputs=wave[:-1, None], targets=wave[1:, None])
    ragged = ragged_arrays(rng, sequences=60, steps=20)
    np.savez(folder / "ragged.npz", split=np.arange(60) % 3, **ragged)


def ragged_arrays(rng: np.random.Generator, sequences: int, steps: int) -> dict[str, Any]:
    """Return sequences of several lengths, with a label and a mask for every step."""
    inputs = rng.standard_normal((sequences, steps, 2))
    lengths = rng.integers(steps // 2, steps + 1, sequences)
    mask = (rng.random((sequences, steps)) < 0.8) & (np.arange(steps) < lengths[:, None])
    mask[:, 0] = True
    labels = (inputs.cumsum(axis=1)[..., 0] > 0) + (inputs[..., 1] > 0).astype(np.int64)
    return {"inputs": inputs, "targets": labels, "mask": mask, "lengths": lengths}


def source_roots() -> list[str]:
    """Return the folders that evorrn and its tasks are imported from."""
    found = [importlib.util.find_spec(name) for name in ("evorrn", "evorrn_tasks")]
    return [str(Path(spec.origin).parents[1]) for spec in found if spec is not None and spec.origin]


def run_case(out: Path, group: str, line: str) -> None:
    """Run the commands of a case one after the other, with a folder of runs of their own.

    Raises
    ------
    RuntimeError
        When a command does not end as it should.
    """
    case = Path("runs", group, re.sub(r"[^\w.]+", "-", line)[:120])
    for command in line.split(" && "):
        made = [str(path.parent.relative_to(out)) for path in (out / case).glob("*/*/*/spec.toml")]
        words = shlex.split(command.replace("{run}", made[0] if made else "").replace("{case}", str(case)))
        interrupt = words[0] == "interrupt"
        process = subprocess.Popen(
            [sys.executable, "-m", "evorrn", *words[interrupt:], "--runs", str(case)],
            cwd=out,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*source_roots(), *sys.path[1:]])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while interrupt and process.poll() is None:
            if any((out / case).glob("*/*/*/status.json")):
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.02)
        said, _ = process.communicate()
        if process.returncode != (130 if interrupt else 0):
            raise RuntimeError(f"{line}\nended with exit code {process.returncode}: {said}")


def run_networks(folder: Path) -> None:
    """Write what networks of every cell compute on many sequences and on one, with losses and gradients."""
    from evorrn import Batch, Network

    rng = np.random.default_rng(2)
    ragged = ragged_arrays(rng, sequences=21, steps=12)
    for name, settings in NETWORKS.items():
        network = Network(2, 3, **settings)
        if settings.get("loss") != "cross-entropy":
            ragged["targets"] = (ragged["inputs"] @ np.ones((2, 3)) > 0).astype(float)
        many = Batch(**ragged)
        one = Batch(many.inputs[:1], many.targets[:1])
        genomes = np.stack([network.init(seed=seed) for seed in range(3)])
        genome = genomes[0]
        for batch, size in ((many, "many"), (one, "one")):
            outputs = network.predict(genome, batch.inputs)
            loss, gradient = network.loss_and_gradient(genome, batch)
            arrays = {"genomes": genomes, "outputs": outputs, "loss": np.array(loss), "gradient": gradient}
            arrays["states"] = network.states(genome, batch.inputs)
            arrays["vjp"] = network.vjp(genome, batch.inputs, np.cos(outputs))
            arrays["fitness"] = network.fitness(genomes, batch)
            arrays["losses"] = network.sequence_losses(genomes, batch)
            save_arrays(folder / name / size, arrays)


def run_searches(folder: Path) -> None:
    """Write where every evolution strategy has come to on a function of a vector, and the search as it is saved."""
    import evorrn

    for name in SEARCHES:
        search = getattr(evorrn, name)().search(np.linspace(-1, 1, 6), seed=3)
        for _ in range(8):
            genomes = search.ask()
            search.tell(genomes, -((genomes - 0.5) ** 2 * np.arange(1, 7)).sum(axis=1))
        save_arrays(folder / name, {"genomes": genomes, "best": search.best.genome, "next": search.ask()})
        search.save(folder / name / "saved.search")


def save_arrays(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write each array to a file of its own."""
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def hashes(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each file whose bytes are promised, by its path below ``OUT/runs``."""
    found = {}
    for path in sorted((out / "runs").rglob("*")):
        if path.name in RECORDS:
            content = json.dumps(without_times(json.loads(path.read_text()))).encode()
        elif path.is_file() and (path.name in FILES or path.suffix in WRITTEN):
            content = path.read_bytes()
        else:
            continue
        content = content.replace(str(out).encode(), b"OUT")
        found[path.relative_to(out / "runs").as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def without_times(value: Any) -> Any:
    """Return JSON data without what differs from one execution to the next."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def compare(first: Path, second: Path, groups: list[str]) -> bool:
    """Print which files of some groups differ or are missing, and return whether there are none."""
    files = first, second
    a, b = (
        {name: value for name, value in json.loads(path.read_text()).items() if name.split("/")[0] in groups}
        for path in files
    )
    names = sorted(a.keys() | b.keys())
    differ = [name for name in names if a.get(name) != b.get(name)]
    for name in differ:
        missing = [str(path) for path, known in zip(files, (a, b)) if name not in known]
        print(f"missing in {missing[0]}: {name}" if missing else f"differs: {name}")
    print(f"{len(names) - len(differ)} of {len(names)} files agree")
    return bool(names) and not differ


def run(out: Path, groups: list[str], jobs: int) -> bool:
    """Run groups of cases, write ``OUT/hashes.json``, and return whether every case ended well."""
    print("evorrn of", *source_roots(), flush=True)
    make_files(out / "files")
    tasks: list[tuple[Any, ...]] = [
        (run_case, out, group, line) for group in groups for line in CASES.get(group, "").splitlines()
    ]
    tasks += [(function, out / "runs" / group) for group, function in IN_PYTHON.items() if group in groups]
    with ThreadPoolExecutor(jobs) as threads:
        running = [threads.submit(*task) for task in tasks]
    failures = [str(error) for error in (future.exception() for future in running) if error]
    found = hashes(out)
    (out / "hashes.json").write_text(json.dumps(found, indent=1) + "\n")
    print(*failures, f"{len(found)} files of {len(tasks)} cases, {len(failures)} failed", sep="\n")
    return not failures


IN_PYTHON = {"networks": run_networks, "searches": run_searches}
GROUPS = (*CASES, *IN_PYTHON)


def main() -> int:
    """Read the command line; return 0 when all went well and nothing differs, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT", help="a folder that does not exist yet")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="HASHES", help="two files of hashes")
    parser.add_argument(
        "--groups", help=f"with commas, of {', '.join(GROUPS)}; all but old-imports by default"
    )
    parser.add_argument("--jobs", type=int, default=2, help="cases side by side")
    given = parser.parse_args()
    groups = given.groups.split(",") if given.groups else [name for name in GROUPS if name not in OPTIONAL]
    if unknown := [name for name in groups if name not in GROUPS]:
        parser.error(f"--groups: expected names of {', '.join(GROUPS)}, got {', '.join(unknown)}")
    if (given.out is None) == (given.compare is None):
        parser.error("expected either OUT or --compare with two files")
    if given.compare:
        first, second = given.compare
        return 0 if compare(first, second, groups) else 1
    if given.out.exists():
        parser.error(f"{given.out} exists; expected a new folder")
    return 0 if run(given.out.resolve(), groups, given.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
