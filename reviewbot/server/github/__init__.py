"""The GitHub side of the server: webhooks and the setup of an App."""
