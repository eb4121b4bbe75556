"""Doubles: stand-ins for the outside world that are stricter than it. One folder per service."""
