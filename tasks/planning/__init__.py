"""Who enters a campaign, and what each of them gets next."""
