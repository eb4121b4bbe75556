"""Decides which leads go to sales, to whom, and from which score on."""
