"""Decides how likely a lead or an account is to buy, with reasons."""
