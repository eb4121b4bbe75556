"""WHEN: one Prefect flow per noun, with its order, schedule and shards."""
