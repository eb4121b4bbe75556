"""Answers in words: why somebody got a letter or did not, and the story of an account."""
