"""Candidate contexts of a hunk in Ruby and YAML, whose structure shows at the start of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_OPEN: Final = 64
_OPENER: Final = late_pattern(
    r"[ \t]*(?:[\w.@\[\]]+\s*(?:\|\|)?=\s*|return\s+)?"
    r"(?:class|module|def|if|unless|case|while|until|begin|for)\b(?![?!:(]?\s*=[^=])"
)
_DO: Final = late_pattern(r"\bdo(?:\s*\|[^|\n]*\|)?\s*(?:\#.*)?$")
_ONE_LINE: Final = late_pattern(r"\bend\b\s*(?:\#.*)?$")
_ENDLESS: Final = late_pattern(r"[ \t]*def\s+[\w.?!]+(?:\([^()]*\))?\s*=\s")
_END: Final = late_pattern(r"[ \t]*end\b")
_CLAUSE: Final = late_pattern(r"[ \t]*(else|elsif|when|in|rescue|ensure)\b")
_CLAUSE_OF: Final = {
    "else": "if _",
    "elsif": "if _",
    "when": "case _",
    "in": "case _",
    "rescue": "begin",
    "ensure": "begin",
}
_KEY: Final = late_pattern(r"( *)(- +)?(?:[^\s#]|#\S)")


def ruby_contexts(text: str) -> Iterator[tuple[str, str]]:
    """Yield candidate texts before and after ``text``, a hunk of Ruby, likeliest first."""
    front: list[str] = []
    depth = 0
    pending = ""
    for line in text.split("\n"):
        clause = _CLAUSE.match(line)
        if _END.match(line):
            if depth:
                depth -= 1
            else:
                front.append(pending or "begin")
                pending = ""
        elif clause and not depth:
            pending = pending or _CLAUSE_OF[clause[1]]
        elif (
            (_OPENER.match(line) and not _ENDLESS.match(line)) or _DO.search(line)
        ) and not _ONE_LINE.search(line):
            depth += 1
    if pending:
        front.append(pending)
        depth += 1
    if not (front or depth) or len(front) > _MAX_OPEN or depth > _MAX_OPEN:
        return
    yield "\n".join(reversed(front)) + "\n", "\n" + "end\n" * depth


def yaml_contexts(text: str) -> Iterator[tuple[str, str]]:
    """Yield candidate texts before and after ``text``, a hunk of YAML, likeliest first.

    The parents that stood above the hunk are put in front of it, one for each indentation that a
    later line falls back to.
    """
    front: list[str] = []
    least: int | None = None
    for line in text.split("\n"):
        key = _KEY.match(line)
        if not key:
            continue
        indent = len(key[1])
        if least is not None and indent < least:
            if len(front) == _MAX_OPEN:
                return
            front.append(f"{' ' * indent}{'- ' if key[2] else ''}_:")
        least = indent if least is None else min(least, indent)
    if front:
        yield "\n".join(reversed(front)) + "\n", "\n"
