"""Decides whether a letter may go. The table of all policies is nurture/rules/reasons.py."""
