"""Job arrays: a script for Slurm whose tasks are workers of a sweep."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.base.files import write_atomic
from evorrn.lab.runs.store import writing
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.sweep_file import Sweep

SCRIPT = "submit.sh"
TEMPLATE = """\
#!/bin/bash
{header}

# A worker claims runs until none is left. Slurm's signal reaches it as SIGTERM: it keeps a checkpoint,
# and the same script, submitted again, goes on from there.
export NUMBA_NUM_THREADS={threads} OMP_NUM_THREADS={threads} OPENBLAS_NUM_THREADS={threads}
srun {command}
"""
GRACE_SECONDS = 120
"""Time that runs have to write checkpoints before Slurm ends the job."""


def slurm_script(
    sweep: Sweep, file: Path, root: Path, *, workers: int, threads: int = 1, options: Sequence[str] = ()
) -> str:
    """Return a job array script in which each task is a worker of a sweep.

    Parameters
    ----------
    file, root : Path
        The sweep's file, where the tasks find it, and the folder of all runs, shared by the hosts.
    workers, threads : int
        Tasks of the array; threads, and cores, of each.
    options : sequence of str
        Further lines for ``#SBATCH``, for instance ``--time=04:00:00``.

    Raises
    ------
    ConfigError
        For an adaptive search, whose runs one process has to lead, and for options that are none.
    """
    found = [
        f"--sbatch: expected an option of sbatch such as --time=04:00:00, got {o!r}"
        for o in options
        if not o.startswith("--") or "\n" in o
    ]
    if sweep.adaptive:
        found.append(
            f"search.sampler: {sweep.search.sampler} needs one process that leads; put evorrn sweep run into a job"
        )
    if found:
        raise ConfigError(found)
    given = {option.split("=")[0] for option in options}
    lines = {
        "--job-name": f"evorrn-{sweep.name}",
        "--array": f"1-{workers}",
        "--ntasks": "1",
        "--cpus-per-task": str(threads),
        "--output": _as_slurm_reads(SweepFolder(root, sweep).path, "/slurm-%A_%a.out"),
        "--signal": f"TERM@{GRACE_SECONDS}",
        "--open-mode": "append",
    }
    header = [f"#SBATCH {name}={value}" for name, value in lines.items() if name not in given]
    header += [f"#SBATCH {option}" for option in options]
    work = [
        sys.executable,
        "-m",
        "evorrn",
        "sweep",
        "work",
        str(file.resolve()),
        "--runs",
        str(root.resolve()),
    ]
    command = shlex.join([*work, *(["--threads", str(threads)] if threads > 1 else [])])
    return TEMPLATE.format(header="\n".join(header), threads=threads, command=command)


def _as_slurm_reads(folder: Path, name: str) -> str:
    """Return a file in a folder as a value of ``#SBATCH``, where a space ends it, ``#`` begins a comment and ``%`` a symbol."""
    path = f"{folder}".replace("%", "%%") + name
    if re.fullmatch(r"[\w./%+=:@,-]*", path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_script(sweep: Sweep, root: Path, script: str) -> Path:
    """Write a script into the folder of its sweep, and return where it is."""
    folder = SweepFolder(root, sweep)
    folder.adopt()
    path = folder.path / SCRIPT
    with writing(path):
        write_atomic(path, script)
        path.chmod(0o755)
    return path


def submit(script: Path) -> str:
    """Submit a script to Slurm, and return what it says.

    Raises
    ------
    EvorrnError
        When there is no Slurm here, or it refuses.
    """
    command = shutil.which("sbatch")
    if command is None:
        raise EvorrnError(f"--go: there is no sbatch here; {script} is written, submit it where Slurm is")
    done = subprocess.run([command, str(script)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EvorrnError(f"sbatch refused {script}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()
