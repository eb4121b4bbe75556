"""Decides which letter a lead gets next, and when."""
