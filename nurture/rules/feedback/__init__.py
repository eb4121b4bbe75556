"""Decides what follows from what a recipient did."""
