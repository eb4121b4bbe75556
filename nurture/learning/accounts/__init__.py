"""How likely an account opens an opportunity soon."""
