"""The pipeline: a diff is planned, reviewed by models, and becomes a stream of events."""
