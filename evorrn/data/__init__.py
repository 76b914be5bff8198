"""What a user brings: batches, splits, tasks, environments, and the metrics they are judged by."""
