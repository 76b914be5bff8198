"""``evorrn sweep``: many runs from one file: check, run, resume, retry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from evorrn.cli.options import Jobs, Json, Quiet, Runs

sweep = typer.Typer(
    help="Many runs from one file: on this machine, on a cluster, or claimed by workers from a shared folder.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="A sweep file: axes over the settings of a spec, in TOML.")]
Yes = Annotated[bool, typer.Option("--yes", help="Allow more than a million runs.")]
Threads = Annotated[
    int, typer.Option("--threads", min=1, help="Threads of each run; results do not depend on it.")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="End at the first run that fails.")]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help=r"Run on a Dask cluster: its scheduler's address, or local for one of --jobs workers here; needs "
        r"evorrn\[cluster].",
    ),
]


@sweep.command()
def check(file: File, yes: Yes = False, runs: Runs = None, json: Json = False) -> None:
    """Check every cell of a sweep, and print how many runs there are, which are done, and how long the rest takes."""
    from evorrn.cli.output import print_json
    from evorrn.cli.sweep_outcome import show_check
    from evorrn.cli.sweep_progress import checking
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.sweep import check as lab
    from evorrn.lab.sweep.sweep_file import read_sweep

    with checking(quiet=json) as checked:
        found = lab.check(read_sweep(file, many=yes), runs_root(runs), checked)
    if json:
        print_json(found.as_dict())
    else:
        show_check(found)


def _leading(retry: bool, doc: str) -> Callable[..., None]:
    """Return the command that runs a sweep, or the one that runs its failed runs again."""

    def command(
        context: typer.Context,
        file: File,
        jobs: Jobs = None,
        threads: Threads = 1,
        dask: Dask = None,
        fail_fast: FailFast = False,
        yes: Yes = False,
        runs: Runs = None,
        json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        from evorrn.cli.sweep_outcome import report
        from evorrn.cli.sweep_progress import watching_sweep
        from evorrn.kernels.threads import available
        from evorrn.lab.runs.store import runs_root
        from evorrn.lab.sweep.cluster import dask_executor
        from evorrn.lab.sweep.run import run_sweep
        from evorrn.lab.sweep.sweep_file import read_sweep

        checked, root = read_sweep(file, many=yes), runs_root(runs)
        with (
            watching_sweep(root, quiet, context.obj.debug) as hooks,
            dask_executor(dask, jobs or max(1, available() // threads)) as (executor, slots),
        ):
            tally = run_sweep(
                checked,
                root,
                jobs=slots,
                executor=executor,
                threads=threads,
                retry=retry,
                fail_fast=fail_fast,
                hooks=hooks,
            )
        raise typer.Exit(report(tally, file, runs, json=json, quiet=quiet))

    command.__doc__ = doc
    return command


sweep.command("run")(
    _leading(
        retry=False,
        doc="""Run a sweep, or go on with it: the same command again does what is left.

    Complete runs are skipped, interrupted ones go on from their checkpoint, failed ones wait for retry.
    Ctrl-C stops after the steps under way and keeps checkpoints; once more stops at once.
    """,
    )
)
sweep.command("retry")(_leading(retry=True, doc="Run only the failed runs of a sweep again."))


@sweep.command()
def work(
    context: typer.Context,
    file: File,
    threads: Threads = 1,
    fail_fast: FailFast = False,
    yes: Yes = False,
    runs: Runs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Execute runs of a sweep in this process until each is complete, failed or claimed by another process.

    Start as many as you like, on as many hosts as share the folder of runs: from a job array, GNU parallel, ssh.
    """
    from evorrn.cli.sweep_outcome import report
    from evorrn.cli.sweep_progress import watching_sweep
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.sweep.run import work_on
    from evorrn.lab.sweep.sweep_file import read_sweep

    root = runs_root(runs)
    with watching_sweep(root, quiet, context.obj.debug) as hooks:
        tally = work_on(read_sweep(file, many=yes), root, threads=threads, fail_fast=fail_fast, hooks=hooks)
    raise typer.Exit(report(tally, file, runs, json=json, quiet=quiet))


@sweep.command()
def submit(
    file: File,
    slurm: Annotated[bool, typer.Option("--slurm", help="Write a job array for Slurm.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Tasks of the array.")] = 10,
    threads: Threads = 1,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            "--sbatch", metavar="OPTION", help="Further option: --sbatch=--time=04:00:00. Repeatable."
        ),
    ] = None,
    go: Annotated[bool, typer.Option("--go", help="Submit it, too.")] = False,
    yes: Yes = False,
    runs: Runs = None,
) -> None:
    """Print and write the script of a job array whose tasks are workers of a sweep."""
    from evorrn.base.errors import EvorrnError
    from evorrn.cli.output import note, say
    from evorrn.lab.runs.store import runs_root
    from evorrn.lab.sweep import submit as lab
    from evorrn.lab.sweep.folder import SweepFolder
    from evorrn.lab.sweep.plan import make_plan
    from evorrn.lab.sweep.sweep_file import read_sweep

    if not slurm:
        raise EvorrnError("submit: expected the scheduler, --slurm")
    checked, root = read_sweep(file, many=yes), runs_root(runs)
    script = lab.slurm_script(checked, file, root, workers=workers, threads=threads, options=sbatch or ())
    SweepFolder(root, checked).check()  # what is wrong is told here, not in every task of the array
    make_plan(checked)
    say(script)
    path = lab.write_script(checked, root, script)
    note(lab.submit(path) if go else f"written to {path}; --go submits it")
