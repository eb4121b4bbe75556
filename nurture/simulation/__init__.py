"""The example company: who its leads are, what they did before the demo, and how they behave in it."""
