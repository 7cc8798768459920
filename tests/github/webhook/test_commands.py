"""A command is obeyed where a reader sees one, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reviewbot.core.safety.escape import is_plain
from reviewbot.core.safety.safe_text import safe_markdown
from reviewbot.github.webhook.commands import (
    COMMANDS,
    SEARCHED,
    TEXT_LIMIT,
    BotCommand,
    Unknown,
    find,
    help_text,
    hint,
)
from tests.support.timing import cpu_at_most

REVIEW = BotCommand("review")


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/review", REVIEW),
        ("/review full", BotCommand("review full")),
        ("/review stop", BotCommand("review stop")),
        ("/explain", BotCommand("explain")),
        ("/explain why is this a bug?", BotCommand("explain", "why is this a bug?")),
        ("/ignore", BotCommand("ignore")),
        ("/ignore we want it like this", BotCommand("ignore", "we want it like this")),
        ("/config", BotCommand("config")),
        ("/help", BotCommand("help")),
        ("/help me, please", BotCommand("help")),
        ("/pause", BotCommand("pause")),
        ("/resume, please", BotCommand("resume")),
        ("/ask Why is this safe?", BotCommand("ask", "Why is this safe?")),
        ("/review src/app.py", BotCommand("review", "src/app.py")),
        ("/review ./Makefile", BotCommand("review", "Makefile")),
        ("/review *.py, please", BotCommand("review", "*.py")),
        ("/review `a file`.", BotCommand("review", "a file")),
        ("/review full/path.py", BotCommand("review", "full/path.py")),
        ("/review now.", REVIEW),
        # Written by people.
        ("/Review FULL", BotCommand("review full")),
        ("/review, please", REVIEW),
        ("/review.", REVIEW),
        ("/review stop!", BotCommand("review stop")),
        ("/review\tfull  ", BotCommand("review full")),
        ("   /review", REVIEW),
        ("/review the naming in full", REVIEW),
        ("/review fuller than before", REVIEW),
        ("Thanks!\n/review", REVIEW),
        ("Thanks!\r\n\r\n/review full\r\n", BotCommand("review full")),
        ("Thanks!  \n/review\nAnd now?", REVIEW),
        ("Done\rnow\r/review", REVIEW),
        ("- one\n- two\n/review", REVIEW),
        ("/review\n-- \nsent from my telephone", REVIEW),
        ("> it said this\n\n/explain", BotCommand("explain")),
        ("```\ncode\n```\n/review", REVIEW),
        ("<!-- a template -->\n/review", REVIEW),
        ("**Hi**, `x`, <b>y</b>, [z](u)\n/review", REVIEW),
        ("a ` stray tick and a < bracket <!-- too\n/review", REVIEW),
    ],
)
def test_a_command_at_the_beginning_of_a_line_is_obeyed(body: str, command: BotCommand) -> None:
    assert find(body, "reviewbot-dev") == command


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("@reviewbot-dev review", REVIEW),
        ("@ReviewBot-Dev Review Full", BotCommand("review full")),
        ("@reviewbot-dev /review stop", BotCommand("review stop")),
        ("@reviewbot-dev, explain that", BotCommand("explain", "that")),
        ("@reviewbot-dev[bot] help", BotCommand("help")),
        ("Hi\n@reviewbot-dev: config", BotCommand("config")),
        ("@reviewbot-dev reveiw", Unknown("reveiw", "review")),
        ("@reviewbot-dev is wrong here", BotCommand("ask", "is wrong here")),
        ("@reviewbot-dev: why's that?\nAnd that?", BotCommand("ask", "why's that?")),
        ("@reviewbot-dev review a.py", BotCommand("review", "a.py")),
        ("@reviewbot-dev I disagree.\n/ignore it", BotCommand("ignore", "it")),
        ("@reviewbot-dev thanks!", Unknown("thanks")),
        ("@reviewbot-dev frobnicate\n", Unknown("frobnicate")),
        ("@somebody is wrong here", None),
        ("@reviewbot-dev", None),
        ("@reviewbot review", None),
        ("@reviewbot-dev-2 review", None),
        ("@somebody review", None),
        ("cc @reviewbot-dev review", None),
    ],
)
def test_a_mention_of_us_is_like_a_slash(body: str, command: BotCommand | None) -> None:
    assert find(body, "reviewbot-dev") == command


def test_without_a_name_nobody_can_mention_us() -> None:
    assert find("@reviewbot review") is None
    assert find("@ review") is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "please /review",
        "a/review",
        "//review",
        "/ review",
        "\\/review",
        "&#47;review",
        "\u200b/review",
        "\uff0freview",
        "/rev\u0456ew",
        "/review/app.py is wrong",
        "/review.py",
        "/review-all",
        "/review:full",
        "    /review",
        "\t/review",
        "- /review",
        "# /review",
        "**/review**",
        "`/review`",
        "[/review](x)",
        "<b>/review</b>",
        "> /review",
        "> text\n/review",  # one paragraph of the quote, as GitHub shows it
        ">\n> > /review",
        "- > /review",
        "```\n/review\n```",
        "```\n/review",
        "~~~ text\n```\n/review\n~~~",
        "````\n```\n/review\n````",
        "  ```\n/review\n  ```",
        "`a\n/review\nb`",
        "``a ` b\n/review\n``",
        "<!--\n/review\n-->",
        "<!-- \n\n/review",
        "text <!-- a\n/review\n-->",
        "text <a title='\n/review\n'>",
        "<pre>\n\n/review\n</pre>",
        "<details>\n/review\n</details>",
        "<details>\n\n/review\n\n</details>",
        "<DETAILS open>\n\n<details>\n\na\n\n</details>\n\n/review",
        "see <details><summary>a</summary>\n\n/review\n\n</details>",
        "<details>\n\n<!-- </details> -->\n\n/review",
        "<details><summary title='</details>'>a</summary>\n\n/review",
        "<details>\n\n</details-x>\n\n/review",
        "<details><![x\n\n/review",
        "<details\n\n/review",
        "| a | b |\n| - | - |\n/review | x",
        "[a]:\n/review",
        "[a]: b '\n/review\n'",
        "![a](\n/review\n)",
    ],
)
def test_what_no_reader_sees_as_a_command_is_none(body: str) -> None:
    assert find(body, "reviewbot") is None


@pytest.mark.parametrize(
    "body",
    [
        "<details>\n\n/help\n\n</details>\n\n/review",
        "<details>\n\na\n\n</details></details>\n\n/review",
        "`<details>` is open\n\n/review",
        "```\n<details>\n```\n/review",
        "<!-- a <details> block is fine -->\n\n/review",
        "Hello <!-- a <details> block --> there\n\n/review",
        "> <details>\n\n/review",
        "- <details>\n\nand\n\n/review",
        "<details-x>\n\n/review",
        "<details><![x\n\n</details>\n\n/review",
        '<p title="<details>">\n\n/review',
        "<details>\n\n- a\n\n  </details>\n\n/review",
        "<details>\n\n> a\n\n</details>\n\n/review",
    ],
)
def test_what_follows_something_folded_is_a_command(body: str) -> None:
    assert find(body) == BotCommand("review")


@pytest.mark.parametrize("other", ["lgtm", "retest", "assign me", "merge", "deploy", "preview"])
def test_other_bots_are_left_alone(other: str) -> None:
    assert find(f"/{other}") is None


@pytest.mark.parametrize(
    "word",
    ["reviewer", "reviewers", "reviewfull", "configure", "unignore", "helm", "hello", "re"],
)
def test_words_that_only_resemble_ours_are_not_taken_for_them(word: str) -> None:
    assert find(f"/{word}") == Unknown(word)
    assert find(f"Hi\n/{word}") is None


@pytest.mark.parametrize(
    "body", ["/frobnicate", " /Frobnicate now!\r\n", "\n\n/frobnicate: x\n", "/frobnicate\nplease"]
)
def test_an_unknown_command_gets_one_line_that_helps(body: str) -> None:
    unknown = find(body, "reviewbot")
    assert unknown == Unknown("frobnicate")
    line = hint(unknown)
    assert "`/frobnicate` is not a command of reviewbot" in line
    assert "`/help`" in line
    assert "\n" not in line
    assert safe_markdown(line) == line
    assert find(line, "reviewbot") is None


@pytest.mark.parametrize("text", ["/etc is full\nof it", "Look:\n/var", "It is\n\n/var"])
def test_a_path_in_what_somebody_writes_is_no_command(text: str) -> None:
    assert find(text) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[(word, "review") for word in ("reveiw", "reviw", "revieww", "reviews", "Reveiw")],
        *[("explian", "explain"), ("ingore", "ignore"), ("confg", "config"), ("hel", "help")],
        *[("review fll", "review full"), ("review stopp", "review stop")],
    ],
)
def test_a_slip_of_the_pen_gets_one_line_that_helps(written: str, meant: str) -> None:
    unknown = find(f"/{written} now")
    assert isinstance(unknown, Unknown)
    assert (unknown.written, unknown.meant) == (written.lower(), meant)
    line = hint(unknown)
    assert f"`/{meant}`" in line
    assert "\n" not in line
    assert safe_markdown(line) == line
    assert find(line, "reviewbot") is None


def test_the_first_command_counts_and_a_slip_only_without_one() -> None:
    assert find("/review full\n/review stop") == BotCommand("review full")
    assert find("/reveiw\n/confg\n\n/help") == BotCommand("help")
    assert find("/reveiw\n/confg") == Unknown("reveiw", "review")
    assert find("```\n/help\n```\n> /config\n\n/lgtm\n/ignore") == BotCommand("ignore")


def test_the_help_lists_every_command_and_is_none_itself() -> None:
    text = help_text()
    assert safe_markdown(text) == text
    assert find(text, "reviewbot") is None
    for name in COMMANDS:
        assert f"`/{name}`" in text
        command = find(f"/{name}")
        assert isinstance(command, BotCommand)
        assert command.name == name


def test_a_command_far_below_is_not_found_and_none_is_cut_in_its_middle() -> None:
    assert find("x\n\n" * (SEARCHED // 3) + "/review") is None
    start = "x\n" * ((SEARCHED - 10) // 2)
    assert find(f"{start}\n/ignore {'reason ' * 9}") is None


def test_a_line_in_the_midst_of_an_endless_paragraph_is_not_believed() -> None:
    assert find("x" * 3_000 + "\n/review") is None
    assert find("x" * 3_000 + "\n\n/review") == REVIEW
    assert find("/review\n" + "x" * 3_000) == REVIEW


anything = st.text(st.characters(codec=None, exclude_categories=()))
pieces = st.lists(
    st.sampled_from(
        [
            *("/review", "/help", "@bot review", "/reveiw", "\n", "\n\n", " ", "    ", "\t", "> "),
            *("- ", "1. ", "# ", "```", "~~~", "`", "``", "<!--", "-->", "<b>", "</b>", "<pre>"),
            *("</pre>", "<a b='", "*", "_", "[", "](", ")", "![", "|", "|-|-|", "---", "==="),
            *(
                "\\",
                "&#47;",
                "[x]: ",
                "\ue001",
                "\ue002",
                "\0",
                "a",
                "\r",
                "\r\n",
                "\x0b",
                "\u2028",
            ),
        ]
    ),
    max_size=25,
).map("".join)


@given(anything | pieces)
def test_anything_can_be_read_and_its_text_is_short_and_harmless(body: str) -> None:
    command = find(body, "bot")
    assert command is None or isinstance(command, BotCommand | Unknown)
    if isinstance(command, BotCommand):
        assert command.name in COMMANDS


@given(st.sampled_from(["explain", "ignore"]), anything)
def test_the_text_of_a_command_is_bounded_and_on_one_line(name: str, text: str) -> None:
    command = find(f"/{name} {text}")
    assume(isinstance(command, BotCommand) and command.name == name)
    assert isinstance(command, BotCommand)
    assert len(command.text) <= TEXT_LIMIT
    assert is_plain(command.text)
    command.text.encode()


JUDGE = MarkdownIt("commonmark", {"html": True}).enable("table")


def begins_a_line(body: str, word: str) -> bool:
    """Whether a whole parse of ``body``, not lines of it, shows ``word`` at the start of a line."""
    quotes = 0
    for token in JUDGE.parse(body):
        quotes += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        if token.type != "inline" or quotes:
            continue
        before = "softbreak"
        for child in token.children or []:
            begins = child.type == "text" and before in ("softbreak", "hardbreak")
            if begins and child.content.lower().startswith(word):
                return True
            before = child.type
    return False


@given(pieces)
def test_a_command_is_seen_by_whoever_reads_the_comment(body: str) -> None:
    command = find(body)
    if command is not None:
        written = command.written if isinstance(command, Unknown) else command.name
        assert begins_a_line(body, f"/{written}")


@given(pieces)
def test_below_an_empty_line_and_outside_of_all_else_a_command_is_seen(before: str) -> None:
    whole = f"{before}\n\nthe end\n\n/config"
    tokens = JUDGE.parse(f"{before}\n\nthe end")
    closed = [token.type for token in tokens[-3:]] == [
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assume(closed and tokens[-2].content == "the end" and tokens[-1].level == 0)
    assume("/" not in before and "@" not in before)
    assert find(whole, "bot") == BotCommand("config")


@pytest.mark.parametrize(
    "body",
    [
        "/reveiw\n" * 2_000,
        "/reveiw\n\n" * 2_000,
        "- a\n" * 4_000 + "\n/reveiw",
        ("a\n" + "[" * 1_900 + "\n/reveiw\n\n") * 5,
        ("a\n" + "[a](" * 450 + "\n/reveiw\n\n") * 5,
        "> " * 4_000 + "\n\n/reveiw",
        "/explain " + "x" * 60_000,
        " " * 60_000 + "/review",
        "@" + "a" * 60_000 + " review",
    ],
    ids=range(9),
)
def test_no_comment_takes_long(body: str) -> None:
    find("/help\n\na\n/help")
    with cpu_at_most(30):
        find(body, "reviewbot")
