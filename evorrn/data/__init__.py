"""Data that networks are trained and scored on: batches, splits, tasks, environments, and the metrics of scores."""
