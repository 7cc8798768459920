"""The worker process that parses source code of a pull request.

:mod:`reviewbot.models.offline.parser` starts it, sends it requests on standard input and reads the
replies from standard output. A message is its length in four bytes, big-endian, and JSON text. The
process holds no secrets and limits itself; a request can at worst end it.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

from reviewbot.models.offline.fragments import parse, parse_whole
from reviewbot.models.offline.messages import HEAD, Pattern
from reviewbot.models.offline.structure import code_lines, enclosing, has_markup
from reviewbot.models.offline.syntax import match
from reviewbot.models.sandbox.confine import restrict_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

ADDRESS_SPACE: Final = 2 << 30
"""Bytes for ``RLIMIT_AS``: below 1 GB the library cannot be loaded."""

REASON_CHARS: Final = 300
"""Most characters of an error of ast-grep."""


def main() -> None:
    """Answer requests until standard input ends."""
    _limit_process()
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # a library must not write between the replies
    try:
        import ast_grep_py  # noqa: F401 - loaded now, so that no file pays for it

        # Loaded here, as the process can open no files later; the parent does not need it.
        import reviewbot.models.offline.text_checks  # noqa: F401
    except ImportError as error:
        _send(replies, {"error": f"the parser is not installed ({error})"})
        requests.read()  # a request that meets a closed pipe would look like a crash
        return
    with suppress(OSError):
        restrict_thread({})  # no files, network or processes from here on, where Linux offers it
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        request = json.loads(requests.read(*HEAD.unpack(head)))
        _limit_cpu(request["seconds"])
        try:
            reply = answer(request)
        except Exception as error:  # noqa: BLE001 - the parent reports it as an incomplete review
            reply = {"error": f"the parser failed ({type(error).__name__})"}
        _send(replies, reply)


def answer(request: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - one for each request
    """Return the reply to a request.

    Args:
        request: ``do`` is ``match``, ``text``, ``check``, ``try``, ``enclosing``,
            ``code_lines`` or ``warm``; the other fields depend on it.
    """
    if request["do"] == "try":
        return {"refused": reason_to_refuse(request["language"], request["matcher"])}
    if request["do"] == "match":
        patterns = [Pattern(**pattern) for pattern in request["patterns"]]
        found = []
        for index, hunk in enumerate(request["hunks"]):
            fragment = parse(hunk["lines"], hunk["fresh"], request["language"])
            if fragment is not None:
                found += [asdict(place) for place in match(patterns, index, fragment)]
        return {"matches": found}
    if request["do"] == "text":
        from reviewbot.models.offline.text_checks import check_text

        return {
            "text": [asdict(place) for place in check_text(request["language"], request["hunks"])]
        }
    if request["do"] == "check":
        names = ("before", "after", "old", "new")
        return {"kept": keeps_syntax(request["language"], *(request[name] for name in names))}
    if request["do"] == "enclosing":
        whole = parse_whole(request["text"], request["language"])
        return {
            "enclosing": [
                definition and asdict(definition)
                for definition in enclosing(whole, request["lines"])
            ]
        }
    if request["do"] == "code_lines":
        return {"code_lines": _code_lines(request["text"], request["language"], request["part"])}
    return {}


def _code_lines(text: str, language: str, part: bool) -> list[int] | None:
    if language == "php" and has_markup(text, part=part):
        return None
    fragment = parse(text.split("\n"), (), language) if part else parse_whole(text, language)
    return [] if fragment is None else code_lines(fragment)


def reason_to_refuse(language: str, matcher: Any) -> str | None:  # noqa: ANN401 - from a rule file
    """Return the error of ast-grep for a matcher; None if it is valid for this grammar."""
    from ast_grep_py import SgRoot

    try:
        SgRoot("", language).root().find_all(matcher)
    except Exception as error:  # noqa: BLE001 - ast-grep raises several types, Exception itself too
        reason = str(error).partition("Stack backtrace")[0]
        return " ".join(reason.split())[:REASON_CHARS]
    return None


def keeps_syntax(
    language: str,
    before: Sequence[str],
    after: Sequence[str],
    old: Sequence[str],
    new: Sequence[str],
) -> bool:
    """Return whether an edit leaves a hunk with no more syntax errors than it had.

    Args:
        language: a language that ast-grep has a grammar for.
        before: the lines of the hunk.
        after: the lines of the edited hunk.
        old: the lines that the edit replaces.
        new: the lines that it puts there.
    """
    faults = _errors(language, before)
    if _errors(language, after) > faults:
        return False
    # One error can swallow a whole fragment, so the lines are then compared by themselves, too.
    return not faults or _errors(language, new) <= _errors(language, old)


def _errors(language: str, lines: Sequence[str]) -> int:
    """Count the syntax errors in ``lines``.

    tree-sitter marks what it could not parse as ERROR and what it had to invent as empty nodes.
    """
    from ast_grep_py import SgRoot

    source = dedent("\n".join(lines)).encode("utf-8", "replace").decode()
    root = SgRoot(source, language).root()
    return len(root.find_all(kind="ERROR")) + len(root.find_all(regex="^$"))


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    data = json.dumps(reply).encode()
    replies.write(HEAD.pack(len(data)) + data)
    replies.flush()


def _limit_process() -> None:
    """Limit memory, and let the process write no file, leave no core dump and start no other."""
    if sys.platform == "win32":
        return
    import resource

    # macOS refuses RLIMIT_AS; docs/server.md names the systems without these limits.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (0, 0))


def _limit_cpu(seconds: float) -> None:
    """Limit the processor time from now on; this holds even when the parent process is gone."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = math.ceil(time.process_time() + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used, hard))
