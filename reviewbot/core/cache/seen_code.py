"""Code outside of the diff that a model saw, as digests that a later review can compare. Pure.

A look-up or a dossier may return something else at another commit, although the chunk is the same.
So a cached answer is reused only if all code that it saw is unchanged. A digest covers the whole
text as it was sent, redacted and with line numbers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.numbered import chunk_lines
from reviewbot.core.safety.redact import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.lookup_tools import LookupCall, LookupResult

DOSSIER: Final = "dossier"
INPUT_CHARS: Final = 1_000
"""Most characters of the input of a look-up that is stored, which limits the size of an entry."""


@dataclass(frozen=True, slots=True)
class SeenCode:
    """The result of a look-up, or the dossier of a request.

    ``tool`` is the tool of the look-up, or :data:`DOSSIER`. ``input`` is a JSON object, empty for a
    dossier. ``digest`` is the SHA-256 hash of the text; empty if the text must not be compared.
    """

    tool: str
    input: str = "{}"
    digest: str = ""


NOT_COMPARABLE: Final = SeenCode("")
"""A look-up that failed, was not answered, or has no known input."""


def seen_lookup(call: LookupCall, result: LookupResult) -> SeenCode:
    """Return a look-up as it is stored, with a digest of its result."""
    written = json.dumps(dict(call.input), sort_keys=True)
    if not result.is_certain or len(written) > INPUT_CHARS:
        return NOT_COMPARABLE
    return SeenCode(call.name, written, _digest(result.text))


def seen_dossier(views: Iterable[ChunkView]) -> SeenCode:
    """Return the dossier of a request as it is stored; it may be empty."""
    lines = (line for view in views for line in chunk_lines(view))
    return SeenCode(DOSSIER, digest=_digest("\n".join(lines)))


def can_be_stored(seen: Iterable[SeenCode]) -> bool:
    """Return whether all code can be compared later, and no input contains a secret.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    texts: list[str] = []
    for code in seen:
        if not code.digest:
            return False
        texts += [text for text in json.loads(code.input).values() if isinstance(text, str)]
    written = "\n".join(texts)
    return redact_text(written) == written


def _digest(text: str) -> str:
    # Bytes that are not UTF-8 are lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
