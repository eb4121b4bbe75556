"""Decides whether a letter may leave now, and what a provider's answer means."""
