"""Whatever a model writes, what is shown acts on nobody: a stricter parser is the judge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reviewbot.core.safety import safe_text
from reviewbot.core.safety.markdown import is_ordinary
from reviewbot.core.safety.safe_text import (
    LINE_LIMIT,
    MARKDOWN_LIMIT,
    safe_line,
    safe_markdown,
    safe_terminal,
)
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from markdown_it.token import Token

HOSTS = ("github.com",)

# The judge sees more than the code under test does: HTML, tables, struck-out text.
JUDGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {
    "paragraph", "blockquote", "bullet_list", "ordered_list", "list_item", "fence", "inline",
    "text", "code_inline", "em", "strong", "s", "softbreak", "hardbreak", "link",
}  # fmt: skip
ACTING_TEXT = re.compile(r"@\w|(?<!&)#\d|\bGH-\d|\bwww\.|://|mailto:\S|&[a-z]+;", re.IGNORECASE)
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def assert_harmless(markdown: str) -> None:
    in_link = False
    for token in flat(JUDGE.parse(markdown)):
        kind = token.type.removesuffix("_open").removesuffix("_close")
        assert kind in HARMLESS, (kind, markdown)
        if kind == "link":
            in_link = token.nesting == 1
            if in_link:
                assert re.fullmatch(r"https?://github\.com(/.*)?", str(token.attrs["href"])), (
                    markdown
                )
                assert not re.search(r"/(issues|pull|discussions)/", str(token.attrs["href"]))
        elif kind == "text" and not in_link:
            assert not ACTING_TEXT.search(token.content), (token.content, markdown)
        elif kind == "fence":
            assert token.info not in {"suggestion", "mermaid", "math"}
    assert not HIDDEN.search(markdown)


KEPT = [
    "When `order.refund` is set, line 42 does **not** pay *back*.",
    "Two lines\nof one paragraph.\n\nAnother one.",
    "- one\n- two\n  more\n\n* another list\n  - nested\n\n1. first\n2. second",
    "- loose\n\n- items",
    "3. starts at three",
    "> quoted\n>\n> > twice",
    "```python\nx = '@nobody #1 <b>'\n\ny\n```",
    "````\n```\n````",
    "```\n```",
    "a\\\nb",
    "a < b && c > d, 5 * 3, snake_case, C:\\dir\\file, [0, 1], C# and $HOME, 50% | 3~4!",
    "``a`b`` and `` ` ``",
    "Émile said: naïve café, 日本語.",
    "[the line](https://github.com/a/b/blob/main/x.py#L3) and <https://github.com/a/b>",
    "",
]


@pytest.mark.parametrize("text", KEPT)
def test_ordinary_markdown_comes_through_unchanged(text: str) -> None:
    assert safe_markdown(text) == text


REWRITTEN = [
    # Mentions and references, in any disguise.
    ("cc @octocat, @org/team.", "cc `@octocat`, `@org/team`."),
    ("\\@octocat &#64;octocat &commat;octocat", "`@octocat` `&#64;octocat` `&commat;octocat`"),
    ("mail bob@corp.com!", "mail `bob@corp.com`!"),
    ("Fixes #12, a/b#3 (GH-4)", "Fixes `#12`, `a/b#3` (`GH-4`)"),
    ("See https://github.com/a/b/issues/1", "See `https://github.com/a/b/issues/1`"),
    ("[x](https://github.com/a/b/pull/1)", "x (`https://github.com/a/b/pull/1`)"),
    ("https://github.com/a#https://github.com/a/issues/1",
     "`https://github.com/a#https://github.com/a/issues/1`"),
    # Commands to a bot, at the beginning of a line.
    ("/merge now\nand\n/close", "\\/merge now\nand\n\\/close"),
    ("- /lgtm\n\n> /usr", "- \\/lgtm\n\n> \\/usr"),
    # Images.
    ("![a *b*](https://evil.example/p.png)", "a *b* (`https://evil.example/p.png`)"),
    ("![](//evil.example/p)", "`//evil.example/p`"),
    ("![a][r]\n\n[r]: https://evil.example", "a (`https://evil.example`)"),
    ("[![a](x)](https://evil.example)", "a (`x`) (`https://evil.example`)"),
    # Links elsewhere.
    ("[x](javascript:alert(1))", "x (`javascript:alert(1)`)"),
    ("[x](data:text/html;base64,AA==)", "x (`data:text/html;base64,AA==`)"),
    ("[x](https://github.com@evil.example)", "x (`https://github.com@evil.example`)"),
    ("[x](https://github.com.evil.example/)", "x (`https://github.com.evil.example/`)"),
    ("[x](https://github.com:444/)", "x (`https://github.com:444/`)"),
    ("at http://[::1/ now", "at `http://[::1/` now"),
    ("[x]()", "x"),
    ("<https://evil.example>", "`https://evil.example`"),
    ("<mailto:a@b.example>", "`mailto:a@b.example`"),
    ("go to https://evil.example/a_b.", "go to `https://evil.example/a_b`."),
    ("www.evil.example ftp://x xmpp:a", "`www.evil.example` `ftp://x` `xmpp:a`"),
    ("see https://github.com/a/b.", "see <https://github.com/a/b>."),
    ("[https://github.com/a](https://github.com/a)", "<https://github.com/a>"),
    ("[](https://github.com/a)", "<https://github.com/a>"),
    ("[x](https://github.com/a_(b))", "[x](<https://github.com/a_(b)>)"),
    ("!\\[x](https://github.com/a)", "!`[x](https://github.com/a)`"),
    ("wow!\u200b[x](https://github.com/a)", "`wow!\\u200b[x](https://github.com/a)`"),
    ("wow\\![x](https://github.com/a)", "wow! [x](https://github.com/a)"),
    # HTML and our hidden marks.
    ("<!-- reviewbot:id=1 -->", "`<!--` reviewbot:id=1 -->"),
    ("<details>\n<b>x</b>", "`<details>`\n`<b>x</b>`"),
    ("a <img src=x> &lt;b> List<String>", "a `<img` src=x> `&lt;b>` `List<String>`"),
    # What could pass for a part of ours.
    ("# reviewbot\n\nSetext\n======", "**reviewbot**\n\n**Setext**"),
    ("#", "```\n#\n```"),
    ("## **a** `b`", "**a `b`**"),
    ("a\n\n***\n\nb", "a\n\nb"),
    ("---", "```\n---\n```"),
    ("[x]: https://evil.example", "```\n[x]: https://evil.example\n```"),
    ("```suggestion\nrm\n```", "```\nrm\n```"),
    ("~~~ Mermaid\na\n~~~", "```\na\n```"),
    ("```c++ title=x\na\n```", "```c++\na\n```"),
    ("| a | b |\n|---|---|\n| `x | ![i](y) ` |", "| a | b |\n\\|---|---|\n| `x | ![i](y) ` |"),
    ("a\n:--", "a\n\\:--"),
    ("a\n\n[^1]: a note", "a\n\n`[^1]`: a note"),
    ("[a `b]:` c", "\\[a `b]:` c"),
    ("[a b]\\: c", "[a `b]`: c"),
    # Blocks that are left open, or opened in disguise.
    ("```\nopen", "```\nopen\n```"),
    ("- ```\n  open\n\nafter", "- ```\n  open\n  ```\n\nafter"),
    ("\\- a\n\\# b\n1\\. c\n\\> d\n\\~~~\n\\===\n\\+",
     "\\- a\n\\# b\n1\\. c\n\\> d\n`~~~`\n\\===\n\\+"),
    ("a&#10;&#10;# b", "`a&#10;&#10;#` b"),
    ("    four", "```\nfour\n```"),
    # Stray marks.
    ("\\*a\\* \\_b\\_ \\`c\\`", "`*a*` `_b_` `` `c` ``"),
    ("**kwargs and *args", "`**kwargs` and `*args`"),
    ("(*) `a``b` \\\\!", "(`*`) ```a``b``` `\\`!"),
    ("`a`\\`b", "`a` `` `b ``"),
    ("*@a*", "*`@a`*"),
    ("* *", "- -"),
    # What cannot be seen.
    ("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07", "\\x1b[31mred\\x1b[0m `\\x1b]8;;http://x\\x07`"),
    ("\u202eabc\u200b\U000e0041 a\r\nb\rc", "\\u202eabc\\u200b\\U000e0041 a\nb\nc"),
    ("nul \x00 byte \udcff", "nul \\x00 byte \\xff"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REWRITTEN)
def test_what_would_act_is_shown_instead(text: str, expected: str) -> None:
    assert safe_markdown(text) == expected
    assert_harmless(expected)
    assert safe_markdown(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refunds are `charged` twice", "Refunds are `charged` twice"),
        ("  two\nlines\t and  spaces ", "two lines and spaces"),
        ("## **Bold** *claim*", "`##` `**Bold**` `*claim*`"),
        ("> - quoted item", "`>` - quoted item"),
        ("1. # first", "`1.` # first"),
        ("-1 is returned for --force", "-1 is returned for --force"),
        ("@octocat broke #12", "`@octocat` broke `#12`"),
        ("[x](https://github.com/a) ![i](y)", "`[x](https://github.com/a)` !`[i](y)`"),
        ("`a` and ` b ` and ``c`d``", "`a` and `b` and ``c`d``"),
        ("a\\\nb", "`a\\` b"),
        ("Map<K, V>`@octocat", "``Map<K, V>`@octocat``"),
        ("f(a, *b)`<!--x, g(*a, **b).", "``f(a, *b)`<!--x``, `g(*a, **b)`."),
        ("---", "`---`"),
        ("\x1b[2J\u202e", "\\x1b[2J\\u202e"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_a_title_is_one_inert_line(text: str, expected: str) -> None:
    assert safe_line(text) == expected
    assert_harmless(safe_line(text))


NAMES = [
    ("Missing __init__ in A.__new__", "Missing `__init__` in `A.__new__`"),
    ("if __name__ == '__main__' runs", "if `__name__ == '__main__'` runs"),
    ("`if __name__ == '__main__'` runs", "`if __name__ == '__main__'` runs"),
    ("f(*args, **kwargs) and _x, y_", "`f(*args, **kwargs)` and `_x`, `y_`"),
    ("print('__x__') and __init__()", "`print('__x__')` and `__init__()`"),
    ("snake_case_name, a < b, a && b", "snake_case_name, a < b, a && b"),
    ("List<String> and Map<K, List<V>>", "`List<String>` and `Map<K, List<V>>`"),
    ("width*height*4 and 2**3**4", "`width*height*4` and `2**3**4`"),
    ("src/**/*.py and a/*/b/*/c", "`src/**/*.py` and `a/*/b/*/c`"),
    ("handlers[name](event) and a[0][1]", "`handlers[name](event)` and `a[0][1]`"),
    ('Use "${var:?}" (or ${x}).', 'Use "`${var:?}`" (or `${x}`).'),
    ("an __attribute__((packed)) struct", "an `__attribute__((packed))` struct"),
    ("&amp; and &#39; stay", "`&amp;` and `&#39;` stay"),
    ("a * b * c and ~~x~~", "a * b * c and `~~x~~`"),
]


@pytest.mark.parametrize(("text", "shown"), NAMES)
def test_names_of_code_keep_their_characters(text: str, shown: str) -> None:
    assert (safe_line(text), safe_markdown(text)) == (shown, shown)


def test_emphasis_around_words_stays_in_a_message() -> None:
    text = "**Never** *do* (**this**), **`it`**: 这是**重点**内容"
    assert safe_markdown(text) == text


def test_a_terminal_gets_lines_and_tabs_and_no_escape() -> None:
    text = "a\tb\r\nc\rd\n\x1b[31m\x9b\u202e\x08\x00\ud800"
    assert safe_terminal(text) == "a\tb\nc\nd\n\\x1b[31m\\u009b\\u202e\\x08\\x00\\ud800"
    assert safe_terminal(safe_terminal(text)) == safe_terminal(text)


def test_links_lead_only_to_the_hosts_that_are_named() -> None:
    text = "[a](https://git.corp.example/x) [b](https://GitHub.com/x) https://git.corp.example/y"
    assert safe_markdown(text, link_hosts=["Git.Corp.example"]) == (
        "[a](https://git.corp.example/x) b (`https://GitHub.com/x`) <https://git.corp.example/y>"
    )
    assert safe_markdown("[a](https://github.com/x)", link_hosts=()) == "a (`https://github.com/x`)"


@pytest.mark.parametrize(
    "text", ["word " * 5000, "@a " * 5000, "```\n" + "x\n" * 9000, "- a\n" * 5000]
)
def test_long_text_is_cut_says_so_and_stays_whole_markdown(text: str) -> None:
    short = safe_markdown(text, limit=1000)
    assert 700 < len(short) <= 1000
    assert short.endswith("\n\n(cut)")
    assert_harmless(short)
    assert safe_markdown(short, limit=1000) == short
    line = safe_line(text)
    assert 150 < len(line) <= LINE_LIMIT
    assert line.endswith(" (cut)")
    assert safe_line(line) == line


SHAPES = [
    "a", "A+", "a.", "[", "![", "](", "[]", "[a](b) ", "([", "*a ", "*_", "_*a_*", "a**b", "`",
    "`a", "<", "<a", "<a@b.c>", "<http://a> ", ">", "> - ", "- a\n", "- a\n  ", "# a\n", "a\n=\n",
    "1. a\n", '[a]: <b> "c\n', ":\n", "|\n", "a\\\n", "&lt;", "&#103;", "#1 ", "@a ", "a://",
    "a\n---\n", "https://github.com/a![", "\x1b", "\u202e", "\\", "~~~\n", "```\n", " ", "a ",
    "\n", "a\n\n", ":",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_takes_long_and_all_are_safe_twice_over(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parser = safe_text._parser()
    for name in ("parse", "parseInline"):
        real = getattr(parser, name)

        def noted(text: str, real: Callable[[str], list[Token]] = real) -> list[Token]:
            parsed.append(text)
            return real(text)

        monkeypatch.setattr(parser, name, noted)
    for size in (1_000, 2_000, 10_000):
        text = (shape * size)[:size]
        for safe in (safe_markdown, safe_line):
            parsed.clear()
            shown = safe(text)
            marks = sum(1 for part in parsed for char in part if not char.isalnum() and char != " ")
            assert marks < 15_000
            assert safe(shown) == shown
            assert len(shown) <= MARKDOWN_LIMIT
            assert_harmless(shown)


def test_what_is_almost_all_markup_is_shown_as_it_was_written() -> None:
    text = "# a\n" * 1_000
    assert safe_markdown(text) == f"```\n{text.rstrip()}\n```"
    short = safe_markdown(text, limit=3_000)
    assert short.startswith("```\n# a\n# a\n")
    assert short.endswith("\n(cut)\n```")
    assert len(short) <= 3_000
    assert safe_markdown(short, limit=3_000) == short


def test_a_limit_that_holds_nothing_leaves_the_mark() -> None:
    assert safe_markdown("@a @b", limit=3).strip() == "(cut)"


def test_what_never_settles_is_shown_as_code() -> None:
    flips = iter(range(100))
    assert (
        safe_text._settled("x", lambda _: str(next(flips)), lambda text: f"code {text}") == "code 7"
    )


FRAGMENTS = [
    "[", "]", "(", ")", "![", "](", "<", ">", "<!--", "-->", "<b>", "</b>", "`", "``", "```",
    "~~~", "*", "**", "_", "__", "#", "# ", "\n", "\n\n", "\n    ", " ", "  \n", "\t", "- ", "+ ",
    "1. ", "> ", "---", "===", "|", "|---|", ":--", "\\", "&lt;", "&#64;", "&#10;", "&amp;",
    "@user", "#12", "a/b#3", "GH-1", "www.x.example", "https://evil.example/",
    "https://github.com/a", "https://github.com/a/issues/1", "javascript:x", "mailto:a@b.c",
    "[r]: ", "[r]", "[^1]: ", "a", "b c", "word", "!", ".", ":", "'", '"', "\u202e", "\x1b[31m",
    "\r", "é", "😀", "~~", "suggestion", "mermaid", "$", "{", "}", "0", "=", "\xa0", "\u2028",
    "\ud800", "\x00", "Map<K, V>", "f(a, *b)",
]  # fmt: skip
_markdownish = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


@settings(max_examples=examples(400))
@given(_markdownish)
@example("*a*b*`c`*")
@example("[a `b]:`")
def test_no_markdown_acts_once_it_is_safe(text: str) -> None:
    result = safe_markdown(text)
    assert_harmless(result)
    assert safe_markdown(result) == result
    assert bool(result) == bool(safe_terminal(text).strip())


@settings(max_examples=examples(400))
@given(_markdownish)
def test_no_title_acts_once_it_is_safe(text: str) -> None:
    result = safe_line(text)
    assert "\n" not in result
    assert_harmless(result)
    assert_harmless(f"- {result}")
    assert safe_line(result) == result


def read(markdown: str) -> str:
    """Return the characters that a reader of inline Markdown sees, without spaces and ticks."""
    texts = (one.content for token in JUDGE.parseInline(markdown) for one in token.children or [])
    return re.sub(r"[\s`]", "", "".join(texts))


WORDS = st.sampled_from([*FRAGMENTS, *(text for text, _ in NAMES)])


@settings(max_examples=examples(400))
@given(st.lists(WORDS, max_size=14).map("".join) | st.text(max_size=LINE_LIMIT // 8))
def test_the_reader_of_a_title_sees_all_its_characters(title: str) -> None:
    shown = safe_line(title)
    assume(not shown.endswith("(cut)"))
    assert read(shown) == re.sub(r"[\s`]", "", safe_terminal(title))


@settings(max_examples=examples(200))
@given(st.lists(st.sampled_from([name for name, _ in NAMES] + ["a", "`b`", "é,"]), max_size=6))
def test_the_reader_of_a_message_sees_all_characters_of_names(words: list[str]) -> None:
    message = " ".join(words)
    assert read(safe_markdown(message)) == re.sub(r"[\s`]", "", message)


@given(st.text())
def test_any_text_can_be_made_safe_and_encodes(text: str) -> None:
    for make_safe in (safe_markdown, safe_line, safe_terminal):
        result = make_safe(text)
        result.encode()
        assert not HIDDEN.search(result)
        assert make_safe(result) == result


@given(st.text(alphabet="abc d.,", max_size=30))
def test_plain_words_are_kept_to_the_letter(text: str) -> None:
    assert safe_line(text).split() == text.split()


PIECES = """
a B9 when (if) it's "so" x=1 50% a/b c-d e+f : ; ? . , `x` `<b>` `@me` ` `` - + = 1. 1) www.
mailto:x GH-1 http://x --- *a* _a_ ( ) [x] # > ~ ~~~ === \\ & &amp;
"""
ORDINARY = st.lists(
    st.sampled_from(PIECES.split()) | st.text(alphabet="ab1 `.,:()'=%/+-", max_size=8), max_size=8
).map(" ".join)


@given(ORDINARY)
def test_what_counts_as_ordinary_is_what_the_parser_would_leave_alone(text: str) -> None:
    if not is_ordinary(text):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reviewbot.core.safety.safe_text.is_ordinary", lambda _: False)
        assert safe_markdown(text) == text
        assert safe_line(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Use `None` and make a new one inside.",
        "When `a` holds `;`, the shell runs it.",
        "a (b): c?",
    ],
)
def test_an_ordinary_message_needs_no_parser(text: str) -> None:
    assert is_ordinary(text)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("/lgtm cancel", "`/lgtm` cancel"),
        ("/merge `now` it", "`/merge` `now` it"),
        ("/merge`now` it", "`/merge` `now` it"),
        ("- /close", "`-` /close"),
    ],
)
def test_a_title_gives_no_command_to_a_bot(title: str, shown: str) -> None:
    assert safe_text.safe_line(title, limit=100) == shown
