"""Linked steps: nodes of one level of all trees or grids of a batch run together, as the lanes of tiles."""
