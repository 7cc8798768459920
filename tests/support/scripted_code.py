"""A small repository that models look code up in, without git."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reviewbot.core.findings.finding import RawQuote, RestsOn
from reviewbot.core.prompt.lookup_tools import LookupCall, LookupResult

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FILES = {
    "settings.py": "RATE = None\nCURRENCY = 'EUR'\n",
    "tests/test_a.py": "def test_line_1():\n    assert line_1 == 1\n",
}


@dataclass
class FakeCode:
    """Answers look-ups from ``files``, and keeps the calls."""

    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    calls: list[LookupCall] = field(default_factory=list)

    async def look_up(self, call: LookupCall) -> LookupResult:
        self.calls.append(call)
        path = str(call.input.get("path", ""))
        match call.name:
            case "read_code" if path in self.files:
                lines = self.files[path].splitlines()
                text = "\n".join(f"R{number} |{line}" for number, line in enumerate(lines, 1))
                return LookupResult(text, f"reading {path} 1-{len(lines)}")
            case "search_code":
                wanted = str(call.input.get("text"))
                hits = [name for name, text in self.files.items() if wanted in text]
                return LookupResult("\n".join(hits) or "No line has it.", f"searching {wanted}")
            case _:
                return LookupResult("There is no such file.", f"reading {path}", failed=True)

    async def check_quotes(self, quotes: Collection[RawQuote]) -> tuple[RestsOn, ...]:
        return tuple(
            RestsOn(one.path, number, number, line, one.base, is_shown=False)
            for one in quotes
            for number, line in enumerate(self.files.get(one.path, "").splitlines(), 1)
            if line.strip() == one.quote.strip()
        )
