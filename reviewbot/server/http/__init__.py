"""HTTP: connections, the protocol and its guards."""
