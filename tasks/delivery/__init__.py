"""The outbox leaves, once."""
