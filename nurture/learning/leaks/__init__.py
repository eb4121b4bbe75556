"""Columns that know the outcome beforehand: found by what the data say, named with their reason, and left out."""
