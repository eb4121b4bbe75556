"""Training: which way of learning is best here, and a calibrated scorer."""
