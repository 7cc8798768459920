"""Find the lines of running code, as opposed to comments, strings and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.verifier import CodePart, FindCode


def running_code(parser: Parser, code: QuotableCode) -> FindCode:
    """Return the function that the verifier uses.

    A file that is known in full is parsed in full. Otherwise its parts are parsed, which is less
    certain: a part may begin inside a string. A line of several parts counts if each of them has it
    as running code.
    """

    async def find(path: str, parts: Sequence[CodePart]) -> Collection[int] | None:
        whole = await code.known_lines(path)
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
