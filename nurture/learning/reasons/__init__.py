"""Why a learned score is what it is, in words."""
