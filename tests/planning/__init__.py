"""Loading for planning, and that `why` foretells exactly what a planning run does."""
