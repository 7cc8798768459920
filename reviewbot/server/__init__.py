"""The HTTP server: the API, the event streams and the page."""
