"""SendGrid: its words become ours here, in both directions, and nowhere else."""
