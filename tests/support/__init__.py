"""What tests share: a whole installation, people, outboxes, invented records."""
