"""Files of users that import the modules of version 0.1.0 go on working."""

import subprocess
import sys

from evorrn.base.moved import MOVED

FILE = '''
from dataclasses import dataclass

import numpy as np

from evorrn.batch import Batch
from evorrn.errors import EvorrnError
from evorrn.settings import setting
from evorrn.task import Recommended, Splits, Task
from evorrn.environment import Environment, cos, sin


@dataclass(frozen=True)
class Doubling(Task):
    """Twice the input."""

    name = "doubling"
    inputs = outputs = 1
    steps: int = setting(5, "time steps", minimum=1)

    def data(self, seed):
        x = np.random.default_rng(seed).standard_normal((3, self.steps, 1))
        return Splits(*[Batch(x, 2 * x)] * 3)

    def baselines(self, splits):
        return {"zero": 0 * splits.test.targets}


if __name__ == "__main__":
    import evorrn
    import evorrn.task

    task = evorrn.task("doubling.py:Doubling", steps=4)
    assert task.steps == 4 and task.data(0).train.steps == 4
    assert evorrn.task.Task is evorrn.Task is Task
'''


def test_imports_of_moved_modules_work_and_warn(tmp_path):
    (tmp_path / "doubling.py").write_text(FILE)
    done = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "doubling.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "evorrn.settings has moved: import its names from evorrn" in done.stderr


def test_a_name_that_is_nowhere_is_an_attribute_error():
    lines = [
        f"import {old}\ntry: {old}.no_such_name\nexcept AttributeError as error: print(error)"
        for old in sorted(MOVED)
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.count("no_such_name") == len(MOVED)
