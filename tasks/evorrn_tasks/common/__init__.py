"""What several tasks share: random draws, splits of a record, baselines, reading of tables."""
