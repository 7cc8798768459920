"""reviewbot: code review that streams findings while the model is still writing."""

__version__ = "0.1.0"
