"""The configuration: settings, their sources, and their file."""
