"""Durable execution: reviews that go on after a crash, on this node or on another."""
