"""Columns become numbers a model can use; leaks stay out."""
