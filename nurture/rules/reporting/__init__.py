"""Decides how figures of the record are counted and told."""
