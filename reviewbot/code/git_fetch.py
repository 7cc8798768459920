"""Fetch two commits of a remote repository into a bare folder of their own, and read them.

Only the files of the two commits are fetched, without history, and without files of
:data:`WITHHELD_BYTES` or more. git reads no configuration but that of the folder, runs no hook and
no helper, follows no redirect, and speaks no protocol but that of the address. The authorization is
in its environment alone: in no file, no address and no command line. Reading the folder afterwards
fetches nothing and has no authorization.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from reviewbot.code.git_command import NEEDED, find_git, run_git, variables_of, version_in
from reviewbot.code.git_repository import GitRepository
from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from threading import Event

    from reviewbot.config.settings import SecretText

FetchProblem: TypeAlias = Literal["failed", "interrupted", "refused", "too_large"]
"""Kind of a failed fetch: ``interrupted`` may leave remains in the folder, and ``refused`` means
that the server shows us no such repository."""

WITHHELD_BYTES: Final = 1 << 20
"""Size from which a file is not fetched."""
FETCH_S: Final = 60.0
"""Seconds of one fetch."""
_SILENT_S: Final = 20
"""Seconds after which a connection that transfers less than a kilobyte a second ends."""
_BLOCK: Final = 512
"""Bytes of the unit of ``ulimit -f``."""
_LIMITS: Final = 'ulimit -c 0 && ulimit -f "$1" && shift && exec "$@"'
_TOO_MUCH: Final = getattr(signal, "SIGXFSZ", 25)
_MESSAGE_BYTES: Final = 4_000
_LONGEST_WAIT_S: Final = 0.05
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_KEPT: Final = (
    *("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "GIT_SSL_CAINFO", "SSL_CERT_FILE"),
    *("SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"),
    *("GIT_HTTP_PROXY_AUTHMETHOD", "all_proxy"),
)
"""Variables of the process that git needs; those with keys and tokens are not passed on."""
_OLD_FORMS: Final = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")
"""Faults of old, harmless objects that well-known repositories have."""
_CONFIG: Final = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("credential.helper", ""),
    ("fetch.fsckObjects", "true"),
    *((f"fetch.fsck.{fault}", "ignore") for fault in _OLD_FORMS),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("grep.threads", "1"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", str(_SILENT_S)),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("protocol.allow", "never"),
    ("transfer.bundleURI", "false"),
    ("transfer.credentialsInUrl", "die"),
)
_FAILURES: Final[tuple[tuple[re.Pattern[str], str, FetchProblem], ...]] = (
    (
        re.compile(
            r"could not read (?:Username|Password)|Authentication failed|: 40[134]\b"
            r"|repository '[^']{0,999}' not found"
        ),
        "the server does not show it to reviewbot",
        "refused",
    ),
    (re.compile(r"redirect|: 30[1278]\b"), "its address has changed", "failed"),
    (re.compile(r"not our ref|couldn't find remote ref"), "its commits are gone", "failed"),
    (re.compile(r"fsck|error in object"), "it has objects that git rejects", "failed"),
)
"""Forms of git's messages, with the message and the problem of the error."""
_SHA: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A remote repository, and the commits of a change in it.

    Attributes:
        url: address of the repository: ``https``, or ``http`` on the loopback interface.
        authorization: value of the header ``Authorization``; None sends none.
        ref: ref that must point to ``head``, such as ``refs/pull/7/head``.
        head: full hash of the reviewed commit.
        base: full hash of the commit at which the change begins; None if it is not known.
    """

    url: str
    authorization: SecretText | None
    ref: str
    head: str
    base: str | None = None


class FetchError(SourceError):
    """The commits cannot be fetched. The message has no address and no token."""

    def __init__(self, message: str, problem: FetchProblem = "failed") -> None:
        super().__init__(message)
        self.problem = problem


def fetch_commits(
    folder: Path, origin: Origin, *, max_bytes: int, stop: Event | None = None
) -> GitRepository:
    """Fetch the commits of a change into a bare repository, and return their range. Blocks.

    Args:
        folder: the folder of the bare repository, which is made if there is none.
        origin: the remote repository and the commits.
        max_bytes: most bytes of one fetch.
        stop: ends the fetch when it is set.

    Raises:
        FetchError: git is missing or too old, git or the server refuses, the time or size is
            exceeded, or the ref points to another commit than the expected head.
    """
    _check(origin)
    _check_git()
    if not (folder / "HEAD").exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_git(folder, _environment(folder, None), "init", "--quiet", "--bare", "--template=")
    head, base = f"{origin.ref}-reviewed", f"{origin.ref}-base"
    wanted = [f"+{origin.ref}:{head}"]
    if origin.base is not None:
        wanted.append(f"+{origin.base}:{base}")
    _run(
        _environment(folder, origin),
        *("fetch", "--quiet", "--depth=1", f"--filter=blob:limit={WITHHELD_BYTES}", "--no-tags"),
        *("--no-write-fetch-head", "--recurse-submodules=no", "--end-of-options", origin.url),
        *wanted,
        max_bytes=max_bytes,
        stop=stop,
    )
    repository = fetched_commits(folder, origin)
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{head}^{{commit}}")
    tip = run_git(folder, _environment(folder, None), *arguments, fine=(0, 1)).decode().strip()
    if tip != origin.head:
        raise FetchError("its ref points to another commit by now")
    return repository


def fetched_commits(folder: Path, origin: Origin) -> GitRepository:
    """Return the range of the fetched commits. To read it needs no network and no authorization.

    The range is empty if the base is not known. The attributes of files are those at the base.
    """
    start = origin.base or origin.head
    environment = {**_environment(folder, None), "GIT_ATTR_SOURCE": start}
    return GitRepository(folder, start, origin.head, False, (), environment)


def _check(origin: Origin) -> None:
    """Raise unless the address is safe and the commits are full hashes.

    Raises:
        FetchError: it is not safe to fetch.
    """
    parts = urlsplit(origin.url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if (parts.scheme != "https" and not local) or parts.username or parts.password:
        raise FetchError("the address of the repository is not an https address")
    if not all(_SHA.fullmatch(sha) for sha in (origin.head, origin.base or origin.head)):
        raise FetchError("a commit of the change is not a full hash")


def _check_git() -> None:
    """Raise unless there is a git that reads its configuration from the environment.

    Raises:
        FetchError: there is none.
    """
    try:
        found = _version(find_git())
    except (SourceError, OSError, subprocess.SubprocessError) as error:
        raise FetchError("git is not installed here") from error
    if found < NEEDED:
        raise FetchError("git here is too old")


@lru_cache(maxsize=4)
def _version(git: str) -> tuple[int, int]:
    done = subprocess.run(  # noqa: S603 - the git that is used
        [git, "version"], capture_output=True, check=True, timeout=_SILENT_S
    )
    return version_in(done.stdout)


def _environment(folder: Path, origin: Origin | None) -> dict[str, str]:
    """Return the environment of git; with an origin it may fetch from there alone."""
    found = {name: os.environ[name] for name in _KEPT if name in os.environ}
    if authorities := os.environ.get("REQUESTS_CA_BUNDLE"):
        found.setdefault("GIT_SSL_CAINFO", authorities)
    found |= {
        "GIT_DIR": str(folder),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(folder),
        "LC_ALL": "C",
        "XDG_CONFIG_HOME": str(folder),
    }
    settings = list(_CONFIG)
    if origin is None:
        found["GIT_ALLOW_PROTOCOL"] = "none"
    else:
        parts = urlsplit(origin.url)
        settings.append((f"protocol.{parts.scheme}.allow", "always"))
        if origin.authorization is not None:
            name = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
            settings.append((name, f"Authorization: {origin.authorization.reveal()}"))
    return found | variables_of(settings)


def _run(
    environment: Mapping[str, str], *arguments: str, max_bytes: int, stop: Event | None
) -> None:
    """Run git with limits, and wait for its end.

    Raises:
        FetchError: git fails, or was ended.
    """
    command = [find_git(), "--no-pager", *arguments]
    if os.name == "posix":
        command = ["/bin/sh", "-c", _LIMITS, "sh", str(max_bytes // _BLOCK), *command]
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program; checked addresses and hashes
                command,
                cwd=environment["GIT_DIR"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                start_new_session=True,
            )
        except OSError as error:
            raise FetchError(f"git does not run: {error.strerror}") from error
        _wait(process, stop)
        if process.returncode:
            messages.seek(0)
            said = messages.read(_MESSAGE_BYTES).decode(errors="replace")
            raise _failure(process.returncode, said)


def _wait(process: subprocess.Popen[bytes], stop: Event | None) -> None:
    """Wait for the end of git; end it after the time limit or on ``stop``.

    Raises:
        FetchError: git was ended.
    """
    deadline, pause = time.monotonic() + FETCH_S, 0.002
    try:
        while True:
            try:
                process.wait(pause)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
            if stop is not None and stop.is_set():
                raise FetchError("the fetch was stopped", "interrupted")
            if time.monotonic() >= deadline:
                raise FetchError(f"it took longer than {FETCH_S:g} seconds", "interrupted")
            pause = min(2 * pause, _LONGEST_WAIT_S)
    finally:
        if process.returncode is None:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill git, which was not waited for yet, and all that it started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _failure(code: int, said: str) -> FetchError:
    """Return the error of a fetch that failed. What the server says is not repeated."""
    if code == -_TOO_MUCH or f"signal {_TOO_MUCH}" in said:
        # The process that git started for the transfer may have died, and not git itself.
        return FetchError("its files are too large to fetch", "too_large")
    if code < 0:
        return FetchError(f"git crashed (signal {-code})", "interrupted")
    for form, message, problem in _FAILURES:
        if form.search(said):
            return FetchError(message, problem)
    return FetchError("git could not fetch it")
