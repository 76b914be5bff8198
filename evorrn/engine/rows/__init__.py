"""The layout whose vector axis holds the units of a layer, for one or few sequences."""
