"""The App on a server: what GitHub sends it, and what it then does."""
