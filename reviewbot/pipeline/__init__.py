"""The pipeline: plan a diff, review it with models, and yield a stream of events."""
