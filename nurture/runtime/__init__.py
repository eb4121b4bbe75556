"""What an installation runs on: settings, database, clock, processes."""
