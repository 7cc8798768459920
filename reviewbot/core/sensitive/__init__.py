"""What must not be sent or shown: one module for each kind, over the same text. Pure."""
