"""Bare clones of remote repositories in a folder: a cache that many processes may share.

A clone belongs to one account at one host and is known by numbers, never by a name: an account is
what pays for the clone and may read it. Each use fetches first, with an authorization for this use,
so an account that lost its access reads nothing, and its clone is removed. Only one process fetches
into a clone at a time. A clone that an interrupted fetch may have damaged is made again.

The clones together have a maximum size. Above it, the account with most bytes loses the clone that
it used least recently. So no account can evict the clones of another one that has less.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock, Timeout

from reviewbot.code.git_fetch import FETCH_S, FetchError, fetch_commits
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path
    from threading import Event

    from reviewbot.code.git_fetch import Origin
    from reviewbot.code.git_repository import GitRepository

log = logging.getLogger(__name__)

SHARES: Final = 4
"""One clone may have the total size divided by this number."""
LEAST_BYTES: Final = 1_000_000
"""Bytes that even the smallest clone counts. They limit the number of clones."""
UNUSED_S: Final = 3 * 86_400.0
"""Seconds after the last use at which a clone is removed."""
RENEWED_S: Final = 30 * 86_400.0
"""Age in seconds at which a clone is made again, without what is no longer referred to."""
PACKS: Final = 100
"""Number of packs at which a clone is made again: each fetch adds one, and many are slow."""
TOO_LARGE_S: Final = 86_400.0
"""Seconds for which a repository that was too large is not fetched again."""
_NOTE: Final = "reviewbot.json"
_HOST: Final = re.compile(r"(?!\.)[a-z0-9.-]{1,253}(?:_\d{1,5})?")
TRASH: Final = ".removed-"
"""Start of the names of folders that are being removed."""
LOCK_S: Final = FETCH_S + 10.0
"""Seconds to wait for another fetch into the same clone."""


class CloneKey(NamedTuple):
    """A clone: the host of the repository, the account that reads it, and the repository's id.

    ``host`` is in lower case, with ``_PORT`` after it where the port is not the usual one.
    """

    host: str
    account: int
    repository: int


class CloneUse(NamedTuple):
    """A clone with its size in bytes and the time of its last use in seconds since 1970."""

    key: CloneKey
    size: int
    used_at: float


@dataclass(frozen=True, slots=True)
class _Note:
    """State of a clone, in a file within it; the time of the file is that of the last use.

    ``size`` is that of the clone in bytes after its last fetch, so that no list measures it again.
    """

    made_at: float
    private: bool
    fetching: bool = True
    size: int = 0


class Clones:
    """The clones in a folder. All methods block, and may be called from several threads.

    Args:
        folder: their folder; created for this user alone if it does not exist.
        max_bytes: maximum size of all clones together.
        stop: ends fetches in progress when it is set.
    """

    def __init__(self, folder: Path, max_bytes: int, stop: Event | None = None) -> None:
        self._folder, self.max_bytes, self._stop = folder, max_bytes, stop
        self._too_large: dict[CloneKey, float] = {}
        self._guard = Lock()

    def fetch(self, key: CloneKey, origin: Origin, *, private: bool) -> GitRepository:
        """Fetch the commits of a change into a clone; return the repository at its head.

        Files are read from it until the clone is removed. Afterwards git reports errors.

        ``private`` tells whether the repository is private: a clone from before a change of that is
        made again.

        Raises:
            FetchError: the commits cannot be fetched. If the server refuses, the clone is removed.
            OSError: the folder cannot be used.
        """
        limit = self.max_bytes // SHARES
        with self._guard:
            if self._too_large.get(key, 0.0) > time.time():
                raise FetchError(f"it has more than {limit:,} bytes", "too_large")
        try:
            with self._locked(key) as clone:
                repository = self._fetched(clone, origin, private=private, limit=limit)
        except FetchError as error:
            if error.problem == "too_large":
                with self._guard:
                    if len(self._too_large) > self.max_bytes // LEAST_BYTES:
                        self._too_large.clear()
                    self._too_large[key] = time.time() + TOO_LARGE_S
            raise
        self.evict()
        return repository

    def _fetched(self, clone: Path, origin: Origin, *, private: bool, limit: int) -> GitRepository:
        note = _read_note(clone)
        if note is None or not _is_usable(clone, note, private=private, limit=limit):
            _remove(clone)
            clone.mkdir(mode=0o700)
            note = _Note(time.time(), private)
        _write_note(clone, replace(note, fetching=True))
        try:
            repository = fetch_commits(clone, origin, max_bytes=limit, stop=self._stop)
            size = _checked_size(clone, limit)
        except BaseException as error:
            if not isinstance(error, FetchError) or error.problem != "failed":
                _remove(clone)
            else:
                _write_note(clone, replace(note, fetching=False, size=_size(clone)))
            raise
        _write_note(clone, replace(note, fetching=False, size=size))
        return repository

    def remove(
        self, host: str, *, account: int | None = None, repositories: Collection[int] | None = None
    ) -> int:
        """Remove clones of a host, and return their number.

        Waits for fetches in progress. Reads in progress fail.

        Args:
            host: host as in :class:`CloneKey`.
            account: the account; None removes the clones of all accounts.
            repositories: ids of repositories; None removes the clones of all.

        Raises:
            FetchError: a clone could not be removed; a later call may succeed.
        """
        removed = kept = 0
        for use in self.listed():
            is_account = account is None or use.key.account == account
            is_repository = repositories is None or use.key.repository in repositories
            if use.key.host == host and is_account and is_repository:
                gone = self._remove_one(use.key)
                removed, kept = removed + gone, kept + (not gone)
        if kept:
            raise FetchError(f"could not remove {count(kept, 'clone')}")
        return removed

    def sweep(self) -> int:
        """Remove clones that nothing used for long, and what crashes left; return their number."""
        removed = 0
        for use in self.listed():
            clone = self._path(use.key)
            note = _read_note(clone)
            is_old = time.time() - use.used_at > UNUSED_S
            if is_old or note is None or note.fetching:
                removed += self._remove_one(use.key, wait_s=0)
        for left in self._folder.glob(f"*/*/{TRASH}*"):
            shutil.rmtree(left, ignore_errors=True)
        self.evict()
        return removed

    def evict(self) -> None:
        """Remove clones until the rest has no more than the maximum size. Clones in use stay."""
        for key in victims(self.listed(), self.max_bytes):
            if self._remove_one(key, wait_s=0):
                log.info("removed a clone to save space", extra={"account": key.account})

    def listed(self) -> list[CloneUse]:
        """Return the clones with their sizes and last uses."""
        found = []
        for clone in self._folder.glob("*/*/*"):
            account, host = clone.parent.name, clone.parent.parent.name
            if clone.name.isdecimal() and account.isdecimal() and clone.is_dir():
                key = CloneKey(host, int(account), int(clone.name))
                note = _read_note(clone)
                size = _size(clone) if note is None or note.fetching else note.size
                found.append(CloneUse(key, size, _used_at(clone)))
        return found

    def _path(self, key: CloneKey) -> Path:
        if _HOST.fullmatch(key.host) is None:
            raise FetchError("its host has no usable name")
        return self._folder / key.host / str(int(key.account)) / str(int(key.repository))

    @contextmanager
    def _locked(self, key: CloneKey, wait_s: float | None = None) -> Iterator[Path]:
        """Lock a clone for this thread, and return its path.

        Raises:
            FetchError: the folder is not private, or another fetch takes too long.
        """
        clone = self._path(key)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(self._folder)
        clone.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The empty file stays: two processes that lock different files of one name would conflict.
        wait_s = LOCK_S if wait_s is None else wait_s
        lock = FileLock(clone.with_suffix(".lock"), timeout=wait_s, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise FetchError("another fetch of it takes too long") from None
        try:
            yield clone
        finally:
            lock.release()

    def _remove_one(self, key: CloneKey, wait_s: float | None = None) -> bool:
        """Remove a clone; return whether it is gone. A clone that stays locked is not removed."""
        try:
            with self._locked(key, wait_s) as clone:
                _remove(clone)
        except (FetchError, OSError) as error:
            if wait_s is None:
                log.warning("could not remove a clone: %s", error)
            return False
        return True


def victims(uses: Iterable[CloneUse], max_bytes: int) -> list[CloneKey]:
    """Return the clones to remove so that the rest has at most ``max_bytes``. Pure.

    Each time the account with most bytes loses the clone that it used least recently.
    """
    by_account: dict[tuple[str, int], list[CloneUse]] = defaultdict(list)
    for use in sorted(uses, key=lambda use: use.used_at, reverse=True):
        by_account[use.key[:2]].append(use)
    sizes = {account: sum(map(_counted, own)) for account, own in by_account.items()}
    removed = []
    while sum(sizes.values()) > max_bytes:
        account = max(sizes, key=lambda known: (sizes[known], known))
        oldest = by_account[account].pop()
        sizes[account] -= _counted(oldest)
        removed.append(oldest.key)
    return removed


def _counted(use: CloneUse) -> int:
    return max(use.size, LEAST_BYTES)


def _check_private(folder: Path) -> None:
    """Raise unless the folder is a folder of this user alone. Only POSIX systems are checked.

    Raises:
        FetchError: others may write or read there.
    """
    found = folder.lstat()
    is_ours = os.name != "posix" or (
        found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    )
    if not stat.S_ISDIR(found.st_mode) or not is_ours:
        log.warning("%s is not used for clones: it must be a folder with mode 700", folder)
        raise FetchError("the folder of the clones is not private")


def _checked_size(clone: Path, limit: int) -> int:
    """Return the size of a clone.

    Raises:
        FetchError: it is larger than ``limit``.
    """
    size = _size(clone)
    if size > limit:
        raise FetchError(f"it has more than {limit:,} bytes", "too_large")
    return size


def _is_usable(clone: Path, note: _Note, *, private: bool, limit: int) -> bool:
    """Return whether a clone may be fetched into: else it is made again."""
    is_whole = not note.fetching and note.private == private
    is_young = 0 <= time.time() - note.made_at < RENEWED_S
    packs = sum(1 for _ in clone.glob("objects/pack/*.pack"))
    return is_whole and is_young and packs < PACKS and note.size < limit


def _read_note(clone: Path) -> _Note | None:
    try:
        data = json.loads((clone / _NOTE).read_bytes())
        return _Note(
            made_at=float(data["made_at"]),
            private=data["private"] is True,
            fetching=data["fetching"] is not False,
            size=int(data["size"]),
        )
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None


def _write_note(clone: Path, note: _Note) -> None:
    draft = clone / f"{_NOTE}.new"
    draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
    draft.replace(clone / _NOTE)


def _remove(clone: Path) -> None:
    """Remove a clone, at once for those that look for it."""
    if os.path.lexists(clone):
        trash = tempfile.mkdtemp(prefix=TRASH, dir=clone.parent)
        clone.rename(os.path.join(trash, clone.name))  # noqa: PTH118 - mkdtemp returns text
        shutil.rmtree(trash, ignore_errors=True)


def _used_at(clone: Path) -> float:
    try:
        return (clone / _NOTE).stat().st_mtime
    except OSError:
        return 0.0


def _size(clone: Path) -> int:
    """Return the bytes of the files of a clone."""
    total = 0
    for folder, _, names in os.walk(clone):
        for name in names:
            with suppress(OSError):  # git has just removed it
                total += os.lstat(f"{folder}/{name}").st_size
    return total
