"""Events to text, one module a format. Pure: the caller writes what comes back."""
