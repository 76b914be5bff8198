"""What a plain installation can do: the commands of a newcomer where no optional package can be imported."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BLOCKED = """
import sys

blocked = set({blocked!r})


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Blocked())
from evorrn.cli import main

sys.argv = ["evorrn", *{words!r}]
main()
"""


def optional_modules():
    """Return the modules of all packages that only extras name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {
        entry.partition(">")[0].lower()
        for extra in project["optional-dependencies"].values()
        for entry in extra
    }
    needed = {entry.partition(">")[0].lower() for entry in project["dependencies"]}
    found = packages_distributions()
    wanted = {m for m, owners in found.items() if {owner.lower() for owner in owners} & (names - needed)}
    return sorted(wanted | {"gymnasium"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "tasks"], "sunspots"),
        (["list"], "second-order"),
        pytest.param(["docs", "--no-browser"], "index.html", marks=pytest.mark.thorough),
        pytest.param(
            ["compare", "sunspots", "--quick", "--budget", "5M", "--seeds", "1", "--strategies", "random"],
            "nrmse_std",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_newcomer_needs_no_optional_package(words, said, tmp_path):
    script = BLOCKED.format(blocked=optional_modules(), words=words)
    environment = {**os.environ, "EVORRN_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
