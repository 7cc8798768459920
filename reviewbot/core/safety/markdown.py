r"""Write parsed Markdown again, with only elements that cannot act on a reader. Pure.

Kept: paragraphs, lists, quotes, emphasis, code, links to the hosts given. Headings become bold,
horizontal rules are omitted, images become their description and address. A word that would act
when it is shown (a mention, an address, HTML, a stray asterisk, ``__init__``) becomes code; that
reads well on a terminal too, where a backslash would not. A backslash is written only at the start
of a line: also before a slash, so that no bot that reads comments takes the line for a command.

Format: CommonMark 0.31; GitHub Flavored Markdown 0.29 for tables (4.10), bare links (6.9) and HTML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reviewbot.core.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from markdown_it.tree import SyntaxTreeNode

# Each ends at a space: two adjacent spans of code would merge, and what is between them would act.
_WORD: Final = late_pattern(
    r"""
      \w[\w.:]* < [^\s>]* (?: ,[ ] [^\s>]* ){1,5} > \S*   # Map<String, List<User>>
    | \w[\w.]* \( [^\s)]* (?: ,[ ] \*+\w+ )+ \) \S*        # f(*args, **kwargs)
    | __\w+__ [ ] [=!]= [ ] \S+                          # __name__ == '__main__'
    | \S+
    """,
    re.VERBOSE,
)
_ACTIVE: Final = late_pattern(
    r"""
      [`*]
    | (?<![^\W_])_ | _(?![^\W_])                  # emphasis, unless inside of a word
    | \][(\[:]                                    # a link, a definition, a footnote
    | \\ (?: [!-/:-@\[-`{-~] | \Z )               # an escape, a hard line break
    | < [A-Za-z/!?] | & [#A-Za-z0-9]+ ;           # HTML
    | @ \w                                        # a mention, an e-mail address
    | \# [0-9] | \b GH- [0-9]                     # an issue
    | \$ (?!\w)                                   # the end of a formula
    | ~~                                          # struck-out text
    | \[! [a-z]+ \]                               # the head of a box
    | \#\# \[                                     # a command to a CI runner
    # A scheme, tried from the start of its run of characters only: else it is quadratic.
    | (?<![A-Za-z0-9+.\-]) [0-9+.\-]*+ [A-Za-z] [A-Za-z0-9+.\-]*+ ://
    | \b www\. | \b (?:mailto|xmpp): \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_AROUND: Final = "(\"'{}),.;:?!"
_LINE_START: Final = late_pattern(
    r"""
    ^ (?: (?P<number> [0-9]{1,9} ) (?= [.)] (?:\s|$) )
        | (?= [-+*] (?:\s|$) | \#{1,6} (?:\s|$) | > | ~~~ | = | (?: [-:|] | [^\S\n] )+ $
            | / [A-Za-z] ) )                          # a command to some bot
    """,
    re.VERBOSE | re.MULTILINE,
)
_LABEL: Final = late_pattern(r"^\[(?![^\]\n]*\]\()", re.MULTILINE)
# Markup of a heading, an item, a quote or a fence, or a command to a bot.
_BLOCK_START: Final = late_pattern(
    r"(?: (?:>|~{3,}|/[A-Za-z])[^\s`]* | (?:[#*+=~|:-]+|[0-9]{1,9}[.)])(?!\S) )", re.VERBOSE
)
_ENTITY: Final = late_pattern(r"&#?\w+\Z")
CODE_SPAN: Final = late_pattern(r"(?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)")
_LANGUAGE: Final = late_pattern(r"[A-Za-z0-9_+#.\-]{1,20}")
# GitHub draws these, or offers the block as a change to apply.
_ACTING_LANGUAGES: Final = frozenset(
    {"suggestion", "mermaid", "geojson", "topojson", "stl", "math"}
)
# A link to one of these adds an entry to the other page and notifies its followers.
_NOTIFYING: Final = late_pattern(r"/(?:issues|pull|pulls|discussions)(?:/|$)", re.IGNORECASE)
_TICKS: Final = late_pattern("`+")


_CODE: Final = late_pattern(r"`[!-_a-~]+(?: [!-_a-~]+)*`(?!`)")
_ORDINARY: Final = late_pattern(
    rf"(?=[A-Za-z`])(?:[A-Za-z0-9,.;:?()'\"=%/+\-]| (?! |\Z)|{_CODE.pattern})+"
)


def is_ordinary(text: str) -> bool:
    """Return whether ``text`` is one line of plain words and inline code, which parses to itself.

    Most messages are. Those need no parser, which takes 50 ms to import and 0.5 ms a text.
    """
    return _ORDINARY.fullmatch(text) is not None and not _ACTIVE.search(_CODE.sub("", text))


def code_span(text: str) -> str:
    """Return ``text`` as inline code."""
    ticks = "`" * (longest_ticks(text) + 1)
    padded = text.startswith("`") or text.endswith("`") or (text[:1] == " " == text[-1:])
    space = " " if padded and text.strip(" ") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def code_block(text: str, language: str = "") -> str:
    """Return ``text`` as a fenced block."""
    fence = "`" * max(3, longest_ticks(text) + 1)
    return "\n".join((fence + language, *([text] if text else []), fence))


class MarkdownWriter:
    """Writer of the nodes of a document. Links may lead to ``link_hosts`` only."""

    def __init__(self, link_hosts: Collection[str]) -> None:
        self._hosts = frozenset(map(str.lower, link_hosts))

    def blocks(self, nodes: Sequence[SyntaxTreeNode], *, tight: bool = False) -> str:
        """Return the Markdown of the blocks, in order."""
        written: list[str] = []
        lists = 0  # adjacent lists stay separate only if their markers differ
        for node in nodes:
            lists = lists + 1 if node.type in ("bullet_list", "ordered_list") else 0
            if block := self._block(node, lists):
                written.append(block)
        return ("\n" if tight else "\n\n").join(written)

    def inline(self, node: SyntaxTreeNode, *, marks: bool = True) -> str:
        """Return the content of a line. ``marks`` says whether to keep emphasis."""
        return _joined(self._piece(child, marks=marks) for child in node.children)

    def line(self, text: str) -> str:
        """Return one line, in which only code in backticks is markup, as Markdown.

        A reader sees all characters of ``text`` except these backticks. Idempotent.
        """
        start = _BLOCK_START.match(text)
        at = start.end() if start else 0
        pieces = [code_span(text[:at])] if at else []
        for span in CODE_SPAN.finditer(text, at):
            code = span["code"]
            padded = code[0] == " " == code[-1] and code.strip(" ")  # section 6.1 removes these
            pieces += [self._text(text[at : span.start()])]
            pieces += [code_span(code[1:-1] if padded else code)]
            at = span.end()
        return _joined([*pieces, self._text(text[at:])])

    def _block(self, node: SyntaxTreeNode, lists: int) -> str:
        match node.type:
            case "paragraph":
                return _lines(self.inline(node.children[0]))
            case "heading":
                text = self.inline(node.children[0], marks=False).strip()
                return f"**{text}**" if text else ""
            case "fence" | "code_block":
                return code_block(node.content.rstrip("\n"), _language(node.info))
            case "blockquote":
                return _indented(self.blocks(node.children), "> ", "> ")
            case "bullet_list" | "ordered_list":
                return self._list(node, lists)
            case _:  # a horizontal rule: it could look like the border of one of our sections
                return ""

    def _list(self, node: SyntaxTreeNode, lists: int) -> str:
        tight = all(
            child.hidden
            for item in node.children
            for child in item.children
            if child.type == "paragraph"
        )
        items = []
        for number, item in enumerate(node.children, start=int(node.attrs.get("start", 1))):
            if node.type == "bullet_list":
                marker = "-*"[(lists - 1) % 2] + " "
            else:
                marker = f"{number}{'.)'[(lists - 1) % 2]} "
            text = self.blocks(item.children, tight=tight)
            items.append(_indented(text, marker, " " * len(marker)))
        return ("\n" if tight else "\n\n").join(items)

    def _piece(self, node: SyntaxTreeNode, *, marks: bool) -> str:
        match node.type:
            case "text":
                return self._text(node.content)
            case "code_inline":
                return code_span(node.content)
            case "softbreak" | "hardbreak":
                return "\n" if node.type == "softbreak" or not marks else "\\\n"
            case "em" | "strong":
                inner = self.inline(node, marks=marks)
                mark = {"em": "*", "strong": "**"}[node.type] if marks and inner.strip() else ""
                return f"{mark}{inner}{mark}"
            case "link":
                return self._link(self.inline(node, marks=marks), str(node.attrs["href"]))
            case _:  # an image
                return self._shown(self.inline(node, marks=marks), str(node.attrs["src"]))

    def _link(self, text: str, address: str) -> str:
        if not self._is_allowed(address):
            return self._shown(text, address)
        if text in ("", f"<{address}>"):
            return f"<{address}>"
        return (
            f"[{text}](<{address}>)" if "(" in address or ")" in address else f"[{text}]({address})"
        )

    def _shown(self, text: str, address: str) -> str:
        """Return the text of a link or image, with its address as code."""
        if not address:
            return text
        address = code_span(address)
        return address if text in ("", address) else f"{text} ({address})"

    def _text(self, text: str) -> str:
        return _WORD.sub(self._word, text.replace("\n", " "))

    def _word(self, match: re.Match[str]) -> str:
        word = match[0]
        if not _ACTIVE.search(word):
            return word
        if word == "*" and match.start() > 0 and match.end() < len(match.string):
            return word
        core = word.strip(_AROUND)
        before, _, after = word.partition(core)
        core, after = _with_ends(core, after)
        if self._is_allowed(core):
            return f"{before}<{core}>{after}"
        return f"{before}{code_span(core)}{after}"

    def _is_allowed(self, address: str) -> bool:
        """Return whether a link address is safe: on an allowed host, and without notifications."""
        if not address.isascii() or re.search(r"[\s<>\\`\"^{|}\x00-\x1f]", address):
            return False
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        return (
            parts.scheme in ("https", "http")
            and parts.netloc.lower() in self._hosts
            and not _NOTIFYING.search(address)
        )


def _lines(text: str) -> str:
    """Return the lines of a paragraph, none of which begins a block of another kind."""
    lines = [line.strip(" \t") for line in text.split("\n")]
    text = _LINE_START.sub(_escaped_start, "\n".join(line for line in lines if line))
    return _LABEL.sub(r"\\[", text) if "]:" in text else text


def _escaped_start(match: re.Match[str]) -> str:
    return f"{match['number'] or ''}\\"


def _with_ends(core: str, after: str) -> tuple[str, str]:
    """Return a word with the end of its brackets, quote or entity, and what follows it."""
    if after.startswith(";") and _ENTITY.search(core):
        core, after = f"{core};", after[1:]
    if after.startswith("()"):
        return f"{core}()", after[2:]
    for quote in "'\"":
        if after.startswith(quote) and core.count(quote) % 2:
            core, after = core + quote, after[1:]
    for opening, closing in ("()", "{}"):
        while core.count(opening) > core.count(closing) and closing in after:
            end = after.index(closing) + 1
            core, after = core + after[:end], after[end:]
    return core, after


def _joined(pieces: Iterable[str]) -> str:
    out = ""
    for piece in pieces:
        out += f" {piece}" if piece and _would_join(out, piece) else piece
    return out


def _would_join(before: str, piece: str) -> bool:
    """Return whether adjacent pieces would merge: two runs of ticks, or ``!`` and a link."""
    return (before[-1:] == "`" == piece[0]) or (before[-1:] == "!" and piece[0] == "[")


def _indented(text: str, first: str, rest: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        ((first if number == 0 else rest) + line).rstrip() for number, line in enumerate(lines)
    )


def _language(info: str) -> str:
    match = _LANGUAGE.match(info.strip())
    return match[0] if match and match[0].lower() not in _ACTING_LANGUAGES else ""


def longest_ticks(text: str) -> int:
    """Return the number of backticks in the longest row of them."""
    return max((len(run) for run in _TICKS.findall(text)), default=0)
