"""Shares of a whole that go to training, validation and test."""

from __future__ import annotations

import math


def share_problems(shares: tuple[float, float, float]) -> list[str]:
    """Return what is wrong with three shares: each above 0, together 1."""
    if min(shares) <= 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
        listing = ", ".join(f"{share:g}" for share in shares)
        return [f"shares: expected three shares above 0 that add up to 1, got {listing}"]
    return []


def file_problems(path: str, shares: tuple[float, float, float]) -> list[str]:
    """Return what is wrong with a file that is to be split by shares: it has a path, and they are right."""
    return share_problems(shares) if path else ["path: expected the path of a file, got none"]


def cut(count: int, shares: tuple[float, float, float], least: int = 2) -> tuple[int, int, int]:
    """Return how many of `count` items go to training, validation and test.

    Validation and test get their share rounded down, but `least` items each; training gets the rest, which is
    negative when there are too few.
    """
    valid, test = (max(least, math.floor(count * share + 1e-9)) for share in shares[1:])
    return count - valid - test, valid, test
