"""Learned scoring for any customer's columns: train, explain, report, keep, watch. Knows frames, no database."""
