"""Durable execution: reviews that continue after a crash, on this node or another."""
