"""How good a model is, shown: metrics, plots, report, drift."""
