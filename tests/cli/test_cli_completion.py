"""Completion of the command line in shells: the scripts, and what a shell gets from them."""

import os
import shutil
import subprocess
import sys

import pytest

STAND_IN = """#!/bin/sh
exec {python} -m evorrn "$@"
"""


def ask(*words, **variables):
    given = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", **variables}
    command = [sys.executable, "-c", "from evorrn.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, env=given)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed_and_is_valid_where_the_shell_is_here(shell, tmp_path):
    done = ask("--show-completion", shell)
    assert done.returncode == 0 and "_EVORRN_COMPLETE" in done.stdout, done.stderr
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout)
        checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("evorrn re", {"reproduce", "results", "report"}),
        ("evorrn sweep ru", {"run"}),
        ("evorrn run --strat", {"--strategy"}),
    ],
)
def test_a_real_bash_completes_commands_and_options(tmp_path, typed, wanted):
    program = tmp_path / "evorrn"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(ask("--show-completion", "bash").stdout)
    words = typed.split()
    lines = f"""
source {script}
COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}
_evorrn_completion evorrn
echo "${{COMPREPLY[@]}}"
"""
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", lines], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert set(done.stdout.split()) == wanted, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_the_next_shell(shell, tmp_path):
    done = ask("--install-completion", shell, HOME=str(tmp_path))
    assert done.returncode == 0 and "completion installed" in done.stdout, done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_EVORRN_COMPLETE" in path.read_text() for path in written)
