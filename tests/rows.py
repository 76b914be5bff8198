"""Runs one row of a listing on arrays, for tests of kernels."""

import numpy as np

from evorrn.engine.listing.listing import Listing
from evorrn.engine.listing.walk import Walk, base


def run_row(kernel, operands, arrays, dtype, time=0, many=1):
    """Run a kernel once; the base of each place among the operands is the name of one of the arrays."""
    listing = Listing(1, tuple(arrays))
    listing.row(kernel, *operands)
    listing.section("only")
    walk = Walk(listing, np.dtype(dtype))
    timetable = walk.expanded(np.array([[0, time, 0, many]]))
    bases = {name: base(array) for name, array in arrays.items()}
    walk.work(1, bases, timetable, np.array([[0, 1]])).run(0, 1)
