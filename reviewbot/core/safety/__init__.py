"""Safety: secrets are redacted, and text is made safe to show."""
