"""Who writes findings: Claude and servers that speak its protocol, or the offline rules."""
