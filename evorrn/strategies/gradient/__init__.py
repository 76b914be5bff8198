"""Training by the gradient of the loss."""
