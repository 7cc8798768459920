"""The command that installs an extra, as this reviewbot was installed."""

from __future__ import annotations

import json
from importlib import metadata


def install_command(extra: str) -> str:
    """Return the command that adds an extra: from a checkout, or else from the package index."""
    source = "." if _is_checkout() else "reviewbot"
    return f"pip install '{source}[{extra}]'"


def _is_checkout() -> bool:
    """Return whether a folder was installed, or nothing, as with ``python -m`` in a checkout."""
    try:
        origin = metadata.distribution("reviewbot").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return True
    return origin is not None and "dir_info" in json.loads(origin)
