"""Somebody's file as it is: encodings, rows, the mapping of columns, rejects, duplicates."""
