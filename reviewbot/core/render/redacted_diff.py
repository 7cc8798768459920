"""Redact the bytes of a diff without changing its lines. Pure.

The result is a diff of the same files, hunks and line numbers. Lines without a secret keep their
bytes. File headers are not changed, because a diff with other names is another diff, and neither
are binary patches, which are not searched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.safety.redact import REDACTED_MARK, FileRedaction, redact_file, redact_text
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff

_HEADER: Final = re.compile(
    r"diff --git |--- |\+\+\+ |index [0-9a-f]+\.\.[0-9a-f]+|(?:dis)?similarity index \d+%"
    r"|(?:old|new|deleted file|new file) mode [0-7]{6}|(?:rename|copy) (?:from|to) |Binary files "
)
_HIDDEN: Final = f"{REDACTED_MARK}secret]"
_PATCH: Final = re.compile(r"GIT binary patch|(?:literal|delta) \d+\r?$")


def redact_diff(data: bytes) -> bytes:
    """Return the diff with secrets and personal data replaced.

    Raises:
        DiffError: ``data`` is not a diff.
        ReviewbotError: the text between files, such as a commit message, could not be searched.
    """
    hunks: list[tuple[int, int, bytes]] = []
    for file in parse_diff(data):
        redaction = redact_for_display(file)
        changes: dict[int, dict[int, str]] = {}
        for (at, line), text in redaction.replacements.items():
            changes.setdefault(at, {})[line] = text
        for at, hunk in enumerate(file.hunks):
            start, end = hunk.span
            raw = data[start:end]
            if at in changes or at in redaction.sections:
                raw = _with_texts(raw, changes.get(at, {}), redaction.sections.get(at))
            hunks.append((start, end, raw))
    hunks.sort()
    starts = [*(start for start, _, _ in hunks), len(data)]
    ends = [0, *(end for _, end, _ in hunks)]
    between = _outside([data[end:start] for end, start in zip(ends, starts, strict=True)])
    parts = [between[0]]
    for (_, _, raw), after in zip(hunks, between[1:], strict=True):
        parts += [raw, after]
    return b"".join(parts)


def redact_for_display(file: FileDiff) -> FileRedaction:
    """Return the redaction of a file; it replaces every line if the search for secrets fails."""
    try:
        return redact_file(file)
    except ReviewbotError:  # the search failed, or the file has too many secrets
        places = [
            (at, line) for at, hunk in enumerate(file.hunks) for line in range(len(hunk.lines))
        ]
        return FileRedaction(
            replacements=dict.fromkeys(places, _HIDDEN),
            sections={at: _HIDDEN for at, hunk in enumerate(file.hunks) if hunk.section},
        )


def _with_texts(raw: bytes, texts: Mapping[int, str], section: str | None) -> bytes:
    """Return the bytes of a hunk with other texts of some lines, by index, and another heading."""
    header, *lines = raw.split(b"\n")
    if section is not None:
        numbers = header[: header.index(b"@@", 2) + 2]
        header = numbers + b" " + _like(section, header)
    index = 0
    for at, line in enumerate(lines):
        if line.startswith(b"\\"):
            continue  # "No newline at end of file" is not a line of the file
        if (text := texts.get(index)) is not None:
            lines[at] = line[:1] + _like(text, line)
        index += 1
    return b"\n".join([header, *lines])


def _like(text: str, line: bytes) -> bytes:
    """Return the bytes of ``text`` with the carriage return of the line that it replaces."""
    ended = b"\r" if line.endswith(b"\r") and not text.endswith("\r") else b""
    return text.encode("utf-8", "surrogateescape") + ended


def _outside(pieces: Sequence[bytes]) -> list[bytes]:
    """Return the pieces between hunks, such as mails and commit messages, redacted."""
    texts = [piece.decode("utf-8", "surrogateescape").split("\n") for piece in pieces]
    lines = [line for text in texts for line in text]
    kept = list(_is_kept(lines))
    shown = ["" if keep else line for line, keep in zip(lines, kept, strict=True)]
    redacted = redact_text("\n".join(shown)).split("\n")
    result = [
        line if keep else text for line, keep, text in zip(lines, kept, redacted, strict=True)
    ]
    pieces_shown, at = [], 0
    for text in texts:
        pieces_shown.append(
            "\n".join(result[at : at + len(text)]).encode("utf-8", "surrogateescape")
        )
        at += len(text)
    return pieces_shown


def _is_kept(lines: Sequence[str]) -> Iterator[bool]:
    """Yield for each line between hunks whether it belongs to a file header or binary patch."""
    is_binary = False
    for line in lines:
        if _PATCH.match(line):
            is_binary = True
        elif not line.strip():
            is_binary = False
        yield is_binary or _HEADER.match(line) is not None
