"""The configuration: settings, where they come from, and their file."""
