"""PROVE: begin with tests/test_walk.py. The folders mirror the rooms of the code."""
