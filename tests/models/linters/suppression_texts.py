"""Strategies for files with a planted fault and suppressions of it in many spellings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from tests.models.linters.samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LETTER: Final = re.compile("[A-Za-z0-9]")
SPACES: Final = ("", " ", " ", "  ", "\t", "\u00a0", "\u3000", "\u2028", "\u200b", "\ufeff", "\x0b")
"""Separators; some linters count each of them as white space, and some do not."""
MARKS: Final = {
    "ruff": ("#", "##", "# x #", "#!", "'#' #"),
    "oxlint": ("//", "/*", "/**", "<!--", "-->", "/* x */ //", "'//' //"),
    "shellcheck": ("#", "##", "# x #", "#!", ": #", "{ #"),
    "hadolint": ("#", "##", "# x #", "#!", "RUN true #", "RUN <<EOF\n#"),
    "zizmor": ("#", "##", "# x #", "'#' #"),
}
WORDS: Final = {
    "ruff": (
        *("noqa", "NoQA", "NOQA", "ruff", "flake8", "Ruff"),
        *("disable", "enable", "ignore", "file-ignore", "isort"),
    ),
    "oxlint": (
        *("eslint-disable", "oxlint-disable", "eslint-disable-line", "oxlint-disable-line"),
        *("eslint-disable-next-line", "oxlint-disable-next-line", "eslint-enable"),
        *("eslint", "global debugger", "ESLint-disable", "@ts-nocheck", "@flow"),
    ),
    "shellcheck": (
        *("shellcheck", "Shellcheck", "disable", "enable", "shell", "source"),
        *("external-sources=false", "extended-analysis=false"),
    ),
    "hadolint": (
        *("hadolint", "Hadolint", "shellcheck", "ignore", "global", "stage", "shell", "disable"),
        *("escape", "syntax"),
    ),
    "zizmor": ("zizmor", "Zizmor", "ignore"),
}
RULES: Final = {
    "ruff": ("F821", "[F821]", "[ F821 , E501 ]", "[undefined-name]", "[F821", "F401,F821"),
    "oxlint": ("no-debugger", "no-eval, no-debugger", "no-eval\nno-debugger", "-- x", "*"),
    "shellcheck": ("SC2164", "2164", "all", "SC1000-SC9999", "'SC2164,SC2155'", "zsh", "sh"),
    "hadolint": ("DL3004", "DL3002,DL3004", "DL3004 # x", "pwsh", "SC2164", "`"),
    "zizmor": ("[template-injection]", "[x,template-injection]", "[ template-injection ] x"),
}
INDENTS: Final = ("", "", "", "  ", "    ", "\t", "\x0c")
POINTS: Final = (":", ":", "=", "=", "", "\n", "\\\n", ",")
USUAL: Final = {
    "ruff": (
        *("# noqa", "# noqa: F821", "# ruff: noqa", "# flake8: noqa", "# ruff: disable[F821]"),
        *("# ruff: ignore[F821]", "# ruff: file-ignore[F821]"),
    ),
    "oxlint": (
        *("/* eslint-disable */", "/* oxlint-disable no-debugger */", "// eslint-disable-line"),
        *("// eslint-disable-next-line no-debugger", "/*\neslint-disable\nno-debugger\n*/"),
        "/* eslint-disable-next-line no-eval,\nno-debugger */",
    ),
    "shellcheck": (
        *("# shellcheck disable=SC2164", "# shellcheck shell=zsh", "# shellcheck disable=all"),
        "# shellcheck source=/dev/null disable=SC2164",
    ),
    "hadolint": (
        *("# hadolint ignore=DL3004", "# hadolint global ignore=DL3004"),
        *("# hadolint stage ignore=DL3004", "# hadolint shell=pwsh", "# shellcheck disable=all"),
    ),
    "zizmor": ("# zizmor: ignore[template-injection]", "# zizmor: ignore[x, template-injection] y"),
}


@dataclass(frozen=True, slots=True)
class SuppressedText:
    """A sample with inserted text.

    Attributes:
        lines: the text.
        line: line of the fault, from 1.
        code: the text of that line without a comment.
        added: lines that the change adds, which include ``line``.
    """

    lines: Sequence[str]
    line: int
    code: str
    added: frozenset[int]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def meaningless(self) -> str:
        """The text with the letters of what the change adds replaced, apart from the fault.

        What hides the fault in this text is in lines of the base.
        """
        return "\n".join(self._meaningless())

    def _meaningless(self) -> Iterator[str]:
        for number, line in enumerate(self.lines, 1):
            kept = len(self.code) if number == self.line else 0
            comment = line[kept:]
            yield line[:kept] + (LETTER.sub("x", comment) if number in self.added else comment)


def comments(linter: str) -> st.SearchStrategy[str]:
    """Return the comments of a linter: the usual ones with noise, and ones put together."""
    space, usual = st.sampled_from(SPACES), st.sampled_from(USUAL[linter])
    part = st.one_of(
        *(st.sampled_from(table[linter]) for table in (WORDS, WORDS, RULES, MARKS)),
        st.sampled_from(POINTS),
    )
    together = st.lists(st.tuples(space, part).map("".join), min_size=1, max_size=7).map("".join)
    made = st.tuples(st.sampled_from(MARKS[linter]), together).map("".join)
    closed = st.tuples(made, st.sampled_from(("", " */", "\n*/"))).map("".join)
    return st.one_of(usual, _noisy(usual), closed if linter == "oxlint" else made)


@st.composite
def _noisy(draw: st.DrawFn, usual: st.SearchStrategy[str]) -> str:
    """Draw a usual suppression with text inserted, or spaces replaced, at a few places."""
    text = draw(usual)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        noise = draw(st.sampled_from((*SPACES, "#", "\n", "\\\n", "x", ",", "*", "/", "-", ":")))
        text = text[:at] + noise + text[at + (draw(st.booleans()) and text[at : at + 1] == " ") :]
    return text


@st.composite
def suppressed_texts(draw: st.DrawFn, linter: str) -> SuppressedText:
    """Draw a sample with one to three suppressions, whose lines are added or context."""
    sample = next(one for one in SAMPLES if one.linter == linter)
    lines = [(text, False) for text in sample.text.split("\n")]
    fault = sample.line - 1
    code = lines[fault][0]
    for _ in range(draw(st.integers(1, 3))):
        text = draw(st.sampled_from(INDENTS)) + draw(comments(linter))
        new = [(line, draw(st.integers(0, 3)) > 0) for line in text.split("\n")]
        if draw(st.booleans()):  # at the end of the line with the fault
            lines[fault] = (f"{lines[fault][0]} {new[0][0]}", False)
            lines[fault + 1 : fault + 1] = new[1:]
        else:
            at = draw(st.integers(0, fault))
            lines[at:at] = new
            fault += len(new)
    added = {number for number, (_, is_added) in enumerate(lines, 1) if is_added}
    return SuppressedText(
        [text for text, _ in lines], fault + 1, code, frozenset({*added, fault + 1})
    )
