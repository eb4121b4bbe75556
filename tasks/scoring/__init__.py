"""Leads and accounts get their scores, by points or by a learned model."""
