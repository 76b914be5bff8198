"""Checks that a new cell, task, environment or strategy keeps the contract that everything else relies on.

They are for the tests of whoever writes one: each raises `AssertionError` with what was wanted and what came.
"""

from evorrn.testing.cells import check_cell as check_cell
from evorrn.testing.environments import check_environment as check_environment
from evorrn.testing.strategies import check_strategy as check_strategy
from evorrn.testing.tasks import check_task as check_task
