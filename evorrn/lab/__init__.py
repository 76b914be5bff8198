"""The laboratory: runs, sweeps, statistics and reports; comparisons and reproductions on top."""
