"""reviewbot: code review that streams findings while the model is still writing."""

__version__ = "0.1.0"

REPOSITORY = "https://github.com/reviewbot-dev/reviewbot"
"""Address of the public repository. A test finds every other place that names its owner."""
