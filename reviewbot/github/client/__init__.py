"""How requests reach GitHub: in threads, in turn, within limits, and never twice by accident."""
