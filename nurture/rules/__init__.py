"""DECIDE: pure questions. Values in, a value out; no clock, no session, no network."""
