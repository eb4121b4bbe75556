"""Ways of learning who buys, cross-validation folds and calibration: what every training is put together from."""
