"""Training: problems, the meter of cost, budgets, the training loop, and results."""
