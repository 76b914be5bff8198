"""Division of data into training, validation and test by shares."""

from __future__ import annotations

import math


def share_problems(shares: tuple[float, float, float]) -> list[str]:
    """Return a sentence unless three shares are above 0 and add up to 1."""
    if min(shares) <= 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
        listing = ", ".join(f"{share:g}" for share in shares)
        return [f"shares: expected three shares above 0 that add up to 1, got {listing}"]
    return []


def file_problems(path: str, shares: tuple[float, float, float]) -> list[str]:
    """Return a sentence if the path of a file is empty or the shares are not allowed."""
    return share_problems(shares) if path else ["path: expected the path of a file, got none"]


def cut_fold(count: int, shares: tuple[float, float, float], folds: int, fold: int) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test items of a fold with a rolling origin.

    The test blocks of all folds lie one after the other at the end of the items. The items of a fold end with its test
    block, and those before it are for training and, as many as without folds, for validation.
    """
    train, valid, test = cut(count, shares)
    if folds > 1:
        test = max(2, min(test, count // (2 * folds)))
        train = count - test * (folds - fold + 1) - valid
    return train, valid, test


def fold_problems(shares: tuple[float, float, float], folds: int) -> list[str]:
    """Return a sentence if the folds leave no items for training."""
    tested = min(shares[2] * folds, 0.5)
    if folds > 1 and shares[1] + tested > 0.95:
        return [
            f"folds: expected a share of training in the first fold, but validation ({shares[1]:g}) and {folds} test blocks "
            f"({tested:g} together) leave none; make the share of validation smaller"
        ]
    return []


def cut(count: int, shares: tuple[float, float, float], least: int = 2) -> tuple[int, int, int]:
    """Return the numbers of training, validation and test items, for `count` items.

    Validation and test get their share rounded down, but at least `least` items each; training gets the rest,
    which is negative when there are too few items.
    """
    valid, test = (max(least, math.floor(count * share + 1e-9)) for share in shares[1:])
    return count - valid - test, valid, test
