"""A secret in an added line is itself a finding, whichever model reviews. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.findings import Finding, Placement, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.chunks import Chunk
    from reviewbot.core.diff import FileDiff
    from reviewbot.core.redact import FileRedaction
