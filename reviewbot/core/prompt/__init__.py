"""Prompts: requests to a model, their templates, examples and tools."""
