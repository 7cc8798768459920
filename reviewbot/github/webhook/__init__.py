"""Deliveries of GitHub and commands in comments, parsed. Pure."""
