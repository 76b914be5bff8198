"""Cells: recurrent architectures, each written as the equations of one time step."""
