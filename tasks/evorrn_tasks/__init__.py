"""The tasks and environments of evorrn, one file each, with their data and published experiments."""
