"""From a file or the record to rows with labels, as they were known at the time."""
