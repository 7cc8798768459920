"""Find the lines of running code, as opposed to comments, strings and documents."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from reviewbot.code.lookup_paths import LookupRefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reviewbot.code.lookup_files import LookupFiles
    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.verifier import CodePart, FindCode

log = logging.getLogger(__name__)


def running_code(parser: Parser, files: LookupFiles) -> FindCode:
    """Return the function that the verifier uses.

    A file that can be read in full is parsed in full. Otherwise its parts are parsed, which is less
    certain: a part may begin inside a string. A line of several parts counts if each of them has it
    as running code.
    """

    async def find(path: str, parts: Sequence[CodePart], base: bool) -> Collection[int] | None:
        whole = await _whole(files, path, base=base)
        if whole is not None:
            return await parser.code_lines(path, "\n".join(whole))
        running: set[int] = set()
        other: set[int] = set()
        for part in parts:
            text = "\n".join(line for _, line in part)
            found = await parser.code_lines(path, text, part=True)
            if found is None:
                return None
            for at, (number, _) in enumerate(part, 1):
                (running if at in found else other).add(number)
        return running - other

    return find


async def _whole(files: LookupFiles, path: str, *, base: bool) -> Sequence[str] | None:
    """Return the lines of a file; None if it cannot be read in full."""
    try:
        return (await files.load(path, base=base)).lines
    except LookupRefusedError:
        return None
    except Exception as error:  # noqa: BLE001 - the parts of the file are parsed then
        log.warning("could not read a file that a verifier quotes: %s", type(error).__name__)
        return None
