"""Loads what planning decides about: leads with all that the policies need. For the run, dry runs and `why`."""
