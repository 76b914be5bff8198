"""The layout whose vector axis holds individuals, for episodes in environments."""
