"""Ways of training made of others: one after the other, or one around the other."""
