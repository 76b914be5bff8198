"""Parts that several tasks share: random streams, splits of a record, baselines, reading of tables."""
