"""Cases of an evaluation: a diff and its golden comments, as lines of JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from reviewbot.core.decode import decoder
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.finding import (  # noqa: TC001 - the decoder looks these up
    Severity,
    Side,
)
from reviewbot.core.render.inert import json_text
from reviewbot.errors import DiffError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import TypeVar

    T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Golden:
    """A comment that a good review makes.

    ``line`` to ``end_line`` are 1-based on ``side``, as in a finding. A comment that is
    ``optional`` counts neither as found nor as missed, and a finding there is not wrong.
    """

    path: str
    line: int
    end_line: int
    side: Side = "RIGHT"
    severity: Severity | None = None
    text: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A change to review. A case without golden comments is clean.

    ``repository``, ``base`` and ``head`` name the commits that the diff compares, and ``url`` is
    the pull request. They are empty if only the diff is known.
    """

    id: str
    diff: str
    golden: tuple[Golden, ...] = ()
    repository: str = ""
    base: str = ""
    head: str = ""
    url: str = ""

    @property
    def required(self) -> tuple[Golden, ...]:
        """Golden comments that count."""
        return tuple(one for one in self.golden if not one.optional)

    @property
    def data(self) -> bytes:
        """The bytes of the diff."""
        return diff_bytes(self.diff)

    @property
    def digest(self) -> str:
        """Digest of everything that decides the scores of the case."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def diff_text(data: bytes) -> str:
    """Return a diff as text; bytes that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def diff_bytes(text: str) -> bytes:
    """Return the bytes of a text that :func:`diff_text` returned."""
    return text.encode("utf-8", "surrogateescape")


def read_cases(path: Path) -> tuple[Case, ...]:
    """Return the cases in a file.

    Raises:
        SourceError: the file cannot be read, a case is invalid, or two cases have the same id. The
            error names the file and the line.
    """
    cases = read_lines(path, _case)
    seen: set[str] = set()
    for number, case in enumerate(cases, 1):
        if case.id in seen:
            raise SourceError(f"{path.name}: case {number}: the id {case.id!r:.80} is used twice")
        seen.add(case.id)
    if not cases:
        raise SourceError(f"{path.name}: there are no cases in this file")
    return cases


def read_lines(path: Path, read: Callable[[Any], T]) -> tuple[T, ...]:
    """Return what ``read`` makes of each line of JSON in a file; empty lines are ignored.

    Args:
        path: the file.
        read: converts the JSON of a line; it raises ValueError for an invalid one.

    Raises:
        SourceError: the file cannot be read, or a line is invalid. The error names the line.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SourceError(f"cannot read {path}: {reason}") from error
    found: list[T] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read(json.loads(line)))
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path.name}: line {number}: {error}") from error
    return tuple(found)


def _case(value: object) -> Case:
    case = cast("Case", decoder(Case)(value, ""))
    if not case.id:
        raise ValueError("id must not be empty")
    for index, golden in enumerate(case.golden):
        if not 1 <= golden.line <= golden.end_line:
            lines = f"{golden.line}..{golden.end_line}"
            raise ValueError(f"golden.{index}: lines must be 1-based and in order, not {lines}")
    try:
        files = parse_diff(case.data)
    except (DiffError, UnicodeEncodeError) as error:
        raise ValueError(f"diff: {error}") from error
    if not files:
        raise ValueError("diff must not be empty")
    return case


def write_cases(cases: Iterable[Case]) -> str:
    """Return cases as lines of JSON that :func:`read_cases` reads."""
    return "".join(f"{json_text(asdict(case))}\n" for case in cases)


def cases_digest(cases: Sequence[Case]) -> str:
    """Return a digest of all cases in their order."""
    return hashlib.sha256("".join(case.digest for case in cases).encode()).hexdigest()[:16]
