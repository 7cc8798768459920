"""Folder of an evaluation: its identity, results, judgements and ratings."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from reviewbot.core.decode import decoder
from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.cases import read_lines
from reviewbot.eval.judgements import judgement_line, judgement_of
from reviewbot.eval.ratings import ratings_line, ratings_of
from reviewbot.eval.results import result_line, result_of
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

HEADER: Final = "run.json"
RESULTS: Final = "results.jsonl"
JUDGEMENTS: Final = "judgements.jsonl"
RATINGS: Final = "ratings.jsonl"
LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Header:
    """Identity of an evaluation: the cases, the plan and the contestants of its results.

    ``plan`` is the digest of the plan file at the start; empty without one. ``id`` is chosen when
    the folder is made, so that a deleted evaluation and its repetition differ.
    """

    cases: str
    contestants: dict[str, str]
    plan: str = ""
    id: str = ""
    version: int = 1


class Lines(Generic[T]):
    """File of lines of JSON that grows while the evaluation runs.

    Args:
        path: the file; it need not exist.
        read: makes a value of the JSON of a line; raises ValueError for an invalid one.
        write: makes a line of a value.

    Raises:
        SourceError: the file cannot be read or written.
    """

    def __init__(self, path: Path, read: Callable[[Any], T], write: Callable[[T], str]) -> None:
        self._path, self._read, self._write = path, read, write
        try:
            if path.exists():  # an interrupted process may have left the start of a line
                data = path.read_bytes()
                whole = data[: data.rfind(b"\n") + 1]
                if whole != data:
                    path.write_bytes(whole)
        except OSError as error:
            raise SourceError(f"cannot use {path}: {error.strerror}") from error

    def read(self) -> tuple[T, ...]:
        """Return the values so far.

        Raises:
            SourceError: a line is invalid.
        """
        return read_lines(self._path, self._read) if self._path.exists() else ()

    def append(self, value: T) -> None:
        """Add a value at once, so that it survives an interruption.

        Raises:
            SourceError: the file cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._write(value))
        except OSError as error:
            raise SourceError(f"cannot write {self._path}: {error.strerror}") from error


@contextmanager
def open_store(folder: Path, header: Header) -> Iterator[Store]:
    """Open a folder of results, which no other process can use until the end.

    Args:
        folder: the folder; it is made if it does not exist.
        header: identity of the evaluation.

    Raises:
        ConfigError: another process uses the folder, or it has results of another evaluation.
        SourceError: the folder cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"cannot use {folder}: {error.strerror}") from error
    with closing(_lock(folder)):
        yield Store(folder, header)


def _lock(folder: Path) -> sqlite3.Connection:
    """Return the lock of a folder, which closing it ends.

    Raises:
        ConfigError: another process has it.
        SourceError: the folder cannot be written.
    """
    # A lock of SQLite works on every platform, needs no other library, and ends with its process.
    try:
        lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise SourceError(f"cannot use {folder}: {error}") from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise ConfigError(
                f"another process uses {folder}; wait for its end, or choose another --output"
            ) from error
        raise SourceError(f"cannot use {folder}: {error}") from error
    return lock


class Store:
    """Folder with the results of an evaluation, and what judges said about them.

    Args:
        folder: the folder, which exists.
        header: identity of the evaluation.

    Raises:
        ConfigError: the folder has results of another evaluation.
        SourceError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        try:
            known = _read_header(folder)
            if known is not None:
                _check_same(folder, known, header)
                contestants = {**known.contestants, **header.contestants}
                header = replace(header, contestants=contestants, id=known.id)
            else:
                header = replace(header, id=secrets.token_hex(8))
            text = json.dumps(asdict(header), indent=2)
            OutputTarget(folder / HEADER).replace(f"{text}\n")
        except OSError as error:
            raise SourceError(f"cannot use {folder}: {error.strerror}") from error
        self.id = header.id
        self.results = Lines(folder / RESULTS, result_of, result_line)
        self.judgements = Lines(folder / JUDGEMENTS, judgement_of, judgement_line)
        self.ratings = Lines(folder / RATINGS, ratings_of, ratings_line)


def _read_header(folder: Path) -> Header | None:
    path = folder / HEADER
    if not path.exists():
        return None
    try:
        return cast("Header", decoder(Header)(json.loads(path.read_text("utf-8")), ""))
    except ValueError as error:
        raise SourceError(f"{path.name}: {error}") from error


def _check_same(folder: Path, known: Header, wanted: Header) -> None:
    """Check that new results can be added to known ones.

    Raises:
        ConfigError: they cannot.
    """
    remedy = f"choose another --output, or delete {folder.name}"
    if known.cases != wanted.cases:
        raise ConfigError(f"{folder.name} has results of other cases; {remedy}")
    if known.plan != wanted.plan:
        raise ConfigError(f"the plan has changed since {folder.name} was begun; {remedy}")
    for name, spec in wanted.contestants.items():
        if known.contestants.get(name, spec) != spec:
            raise ConfigError(
                f"{name} has changed since its results were made; {remedy}"
                f" (then: {known.contestants[name]}; now: {spec})"
            )
