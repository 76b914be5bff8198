"""Checks of the contract of a new cell, task, environment or strategy, for the tests of its author.

Each check raises `AssertionError` with what was expected and what was found.
"""

from evorrn.testing.cells import check_cell as check_cell
from evorrn.testing.environments import check_environment as check_environment
from evorrn.testing.strategies import check_strategy as check_strategy
from evorrn.testing.tasks import check_task as check_task
