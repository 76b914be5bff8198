"""The layout whose vector axis holds the sequences of a batch; it runs by listings."""
