"""Training: problem and meter, budget, the one loop, and results."""
