"""The App on a server: deliveries from GitHub, their processing, and published results."""
