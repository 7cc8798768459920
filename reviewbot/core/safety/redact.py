"""Redact secrets and personal data in text, before it is sent or shown. Pure.

Text is redacted line by line, so that no line changes its number. Both sides are redacted, because
a secret that a change removes must not be sent either. ``[REDACTED:kind]`` replaces a match; the
prompt explains this mark, and anchors match the redacted text. An error, a ``repr`` or a log never
contains a match: a :class:`DetectedSecret` has its location, not its text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar, get_args

from reviewbot.core.safety import (
    assigned_secrets,
    leak_scan,
    personal_data,
    private_keys,
    secret_rules,
)
from reviewbot.core.safety.search_text import BREAK, Confidence, Kind, ScanText
from reviewbot.core.safety.secret_strength import strength_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import DiffLine, LineKind
    from reviewbot.core.safety.search_text import Hit
    from reviewbot.core.safety.secret_strength import Strength

REDACTED_MARK: Final = "[REDACTED:"
"""Prefix of redacted text; a :data:`Kind` and ``]`` follow."""
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_PLACEHOLDER: Final = re.compile(re.escape(REDACTED_MARK) + f"(?:{'|'.join(_KINDS)})]")
_ROUNDS: Final = 8
_AROUND: Final = 300
"""Characters beside a secret that can decide its strength."""
_PERSONAL: Final = ("email", "card")
_Place: TypeAlias = tuple[int, int]
_Key = TypeVar("_Key", _Place, int)


class _Hunk(Protocol):
    @property
    def section(self) -> str: ...
    @property
    def lines(self) -> Sequence[DiffLine]: ...


class _File(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def hunks(self) -> Sequence[_Hunk]: ...


@dataclass(frozen=True, slots=True)
class DetectedSecret:
    """Location of a secret. Personal data is redacted, too, but is not reported as a secret.

    ``hunk`` and ``line`` are indices into the file; ``end`` is the index of the last line. If a
    secret spans lines of several kinds, ``line`` is the first added line, if any. ``old_no`` and
    ``new_no`` are the numbers of ``line``. ``rule`` is the name of the rule, and ``description`` is
    a sentence. ``strength`` says how much the form of the secret proves.
    """

    rule: str
    description: str
    confidence: Confidence
    hunk: int
    line: int
    end: int
    kind: LineKind
    old_no: int | None
    new_no: int | None
    strength: Strength = "provider"


@dataclass(frozen=True, slots=True)
class FileRedaction:
    """Redacted text of a file, and the secrets in the file.

    ``replacements`` has the new text by index of the hunk and index of the line in the hunk.
    ``sections`` has the new heading by index of the hunk. Both contain only changed texts.
    """

    replacements: Mapping[tuple[int, int], str] = field(default_factory=dict)
    sections: Mapping[int, str] = field(default_factory=dict)
    secrets: tuple[DetectedSecret, ...] = ()


def redact_file(file: _File, whole: _File | None = None) -> FileRedaction:
    """Find and replace secrets and personal data in one file of a diff.

    A hunk may begin in the middle of a secret, such as a private key. So the whole file is searched
    if it is known, and the result is cut to the hunks.

    Args:
        file: the file.
        whole: the same file with all its lines in one hunk, if known. It is ignored if it lacks a
            line of ``file``.

    Raises:
        ReviewbotError: the scan failed.
    """
    hunks = [hunk.lines for hunk in file.hunks]
    headings = [hunk.section for hunk in file.hunks]
    known = None if whole is None else _whole_lines(hunks, whole)
    shown = hunks if known is None else [[line for line, _ in known]]
    kinds = {line.kind for lines in shown for line in lines}
    # Without removed lines, the old side has no line that the new side lacks, and vice versa.
    sides = ("removed", "added") if kinds >= {"removed", "added"} else (None,)
    hits: dict[_Place, list[Hit]] = defaultdict(list)
    secrets: list[DetectedSecret] = []
    for other_side in sides:
        if known is None:
            places, texts = _side(hunks, headings, other_side)
        else:
            places, texts = _whole_side(known, headings, other_side)
        found = [(place, hit) for hit in _find(texts, file.path) for place in places[hit.line]]
        secrets += _secrets(found, hits, hunks)
        for place, hit in found:
            hits[place].append(hit)
    for number, heading in enumerate(headings):
        hits[number, -1] += private_keys.in_heading(heading)
    changed = _settle(
        {
            (hunk, line): _apply(headings[hunk] if line < 0 else hunks[hunk][line].text, each)
            for (hunk, line), each in hits.items()
            if each
        }
    )
    return FileRedaction(
        replacements={place: text for place, text in changed.items() if place[1] >= 0},
        sections={hunk: text for (hunk, line), text in changed.items() if line < 0},
        secrets=tuple(sorted(secrets, key=lambda secret: (secret.hunk, secret.line))),
    )


def redact_text(text: str, path: str = "") -> str:
    """Return ``text`` without secrets and personal data. The number of lines stays the same.

    Args:
        text: the text.
        path: path of the file that has the text, if it is the text of a file.

    Raises:
        ReviewbotError: the scan failed.
    """
    lines = text.split("\n")
    hits: dict[int, list[Hit]] = defaultdict(list)
    for hit in _find(lines, path):
        hits[hit.line].append(hit)
    changed = {number: _apply(lines[number], each) for number, each in hits.items()}
    for number, line in _settle(changed).items():
        lines[number] = line
    return "\n".join(lines)


def has_private_key(text: str, path: str) -> bool:
    """Return whether the text of a file contains a private key, or a part of one."""
    if not private_keys.may_have(text, path):
        return False
    return any(private_keys.find(ScanText(text.split("\n"), _PLACEHOLDER), path))


def secret_engine() -> str:
    """Return which secret patterns are in use, for ``reviewbot doctor``."""
    library = leak_scan.engine()
    if library is None:
        return "built-in patterns only: betterleaks has no build for this Python and platform"
    return f"betterleaks {library.version} and built-in patterns"


def _find(lines: Sequence[str], path: str) -> list[Hit]:
    """Return the text to redact, most certain matches first."""
    scan = ScanText(lines, _PLACEHOLDER)
    generic = list(assigned_secrets.find(scan))
    engine = list(leak_scan.find(scan))
    return [
        *private_keys.find(scan, path),
        *secret_rules.find(scan),
        *(hit for hit in engine if hit.confidence != "low"),
        *generic,
        *(hit for hit in engine if hit.confidence == "low"),
        *personal_data.find(scan),
    ]


def _side(
    hunks: list[Sequence[DiffLine]], headings: list[str], other_side: str | None
) -> tuple[list[list[_Place]], list[str]]:
    """Return the lines of one side, and the places of each: hunk and line, -1 for the heading."""
    places: list[list[_Place]] = []
    texts: list[str] = []
    for hunk, lines in enumerate(hunks):
        places += [[(hunk, -1)], []]
        texts += [headings[hunk], BREAK]
        for number, line in enumerate(lines):
            if line.kind != other_side:
                places.append([(hunk, number)])
                texts.append(line.text)
        places.append([])
        texts.append(BREAK)
    return places, texts


def _whole_lines(
    hunks: list[Sequence[DiffLine]], whole: _File
) -> list[tuple[DiffLine, list[_Place]]] | None:
    """Return the lines of the whole file, with the places where hunks show them.

    Returns:
        None if the whole file lacks a line of the hunks.
    """
    places: dict[tuple[int | None, int | None, str], list[_Place]] = defaultdict(list)
    for hunk, lines in enumerate(hunks):
        for number, line in enumerate(lines):
            places[line.old_no, line.new_no, line.text].append((hunk, number))
    known = [
        (line, places.pop((line.old_no, line.new_no, line.text), []))
        for hunk in whole.hunks
        for line in hunk.lines
    ]
    return None if places else known


def _whole_side(
    known: list[tuple[DiffLine, list[_Place]]], headings: list[str], other_side: str | None
) -> tuple[list[list[_Place]], list[str]]:
    """Return the same as :func:`_side`, with all lines of the file."""
    places: list[list[_Place]] = []
    texts: list[str] = []
    for hunk, heading in enumerate(headings):
        places += [[(hunk, -1)], []]
        texts += [heading, BREAK]
    for line, shown in known:
        if line.kind != other_side:
            places.append(shown)
            texts.append(line.text)
    return places, texts


def _secrets(
    found: list[tuple[_Place, Hit]],
    before: Mapping[_Place, list[Hit]],
    hunks: list[Sequence[DiffLine]],
) -> Iterator[DetectedSecret]:
    """Yield each secret once, even if several rules or both sides of the diff have a match."""
    marks: dict[_Place, bytearray] = {}
    groups: dict[object, list[tuple[_Place, Hit]]] = defaultdict(list)
    for place, hit in found:
        if place[1] >= 0 and hit.kind not in _PERSONAL:
            alone = (place, hit.rule, hit.start)
            # A secret lies within one hunk, even if a search reports a match across hunks.
            block = (place[0], hit.rule, hit.block)
            groups[alone if hit.block is None else block].append((place, hit))
    for group in groups.values():
        news = [_mark(marks, before, hunks, place, hit) for place, hit in group]
        if any(news):
            yield _secret(group, hunks)


def _mark(
    marks: dict[_Place, bytearray],
    before: Mapping[_Place, list[Hit]],
    hunks: list[Sequence[DiffLine]],
    place: _Place,
    hit: Hit,
) -> bool:
    """Mark the text of a hit as covered; return False if an earlier hit covers some of it."""
    if place not in marks:
        marks[place] = bytearray(len(hunks[place[0]][place[1]].text))
        for earlier in before.get(place, ()):
            marks[place][earlier.start : earlier.end] = b"1" * (earlier.end - earlier.start)
    is_new = not any(marks[place][hit.start : hit.end])
    marks[place][hit.start : hit.end] = b"1" * (hit.end - hit.start)
    return is_new


def _secret(group: list[tuple[_Place, Hit]], hunks: list[Sequence[DiffLine]]) -> DetectedSecret:
    hunk = group[0][0][0]
    numbers = sorted(number for (_, number), _ in group)
    lines = hunks[hunk]
    first = next((number for number in numbers if lines[number].kind == "added"), numbers[0])
    hit = group[0][1]
    value = "".join(lines[number].text[part.start : part.end] for (_, number), part in group)
    text = lines[group[0][0][1]].text
    before = text[max(0, hit.start - _AROUND) : hit.start]
    after = text[hit.end : hit.end + _AROUND]
    return DetectedSecret(
        rule=hit.rule,
        description=hit.description,
        confidence=hit.confidence,
        hunk=hunk,
        line=first,
        end=numbers[-1],
        kind=lines[first].kind,
        old_no=lines[first].old_no,
        new_no=lines[first].new_no,
        strength=strength_of(hit.rule, hit.kind, value, before=before, after=after),
    )


def _apply(text: str, hits: Iterable[Hit]) -> str:
    """Return ``text`` with a placeholder for each run of overlapping hits."""
    runs: list[tuple[int, int, Kind]] = []
    for hit in sorted(hits, key=lambda hit: hit.start):
        if runs and hit.start < runs[-1][1]:
            start, end, kind = runs[-1]
            runs[-1] = (start, max(end, hit.end), min(kind, hit.kind, key=_KINDS.index))
        else:
            runs.append((hit.start, hit.end, hit.kind))
    parts, done = [], 0
    for start, end, kind in runs:
        parts += [text[done:start], f"{REDACTED_MARK}{kind}]"]
        done = end
    return "".join([*parts, text[done:]])


def _settle(changed: dict[_Key, str]) -> dict[_Key, str]:
    """Search redacted text again until there are no more matches.

    A redaction may reveal another secret: two adjacent tokens can look like one token, or like no
    token.
    """
    recent = changed
    for _ in range(_ROUNDS):
        keys = list(recent)
        hits: dict[_Key, list[Hit]] = defaultdict(list)
        for hit in _find([text for key in keys for text in (recent[key], BREAK)], path=""):
            hits[keys[hit.line // 2]].append(hit)
        recent = {key: _apply(recent[key], each) for key, each in hits.items()}
        changed |= recent
        if not recent:
            break
    return changed
