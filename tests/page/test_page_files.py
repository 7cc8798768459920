"""The files of the page, without a browser: vendored code, policy, what must never be in them."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.safety import escape
from tests.page.scripted_server import PAGE

if TYPE_CHECKING:
    from pathlib import Path

OURS = sorted(path for path in PAGE.rglob("*.js") if "vendor" not in path.parts)
SCRIPTS = {"index.html": "app.js", "reviews.html": "reviews.js"}
PAGES = ("./", "reviews")
"""Addresses of the two pages."""
WORKER = {"highlight-worker.js", "theme-first.js"}
IMPORT = re.compile(r'^import [^;]*?from "(\.[^"]+)";|^import "(\.[^"]+)";', re.MULTILINE)


def test_vendored_files_are_those_of_the_list_with_licence_version_and_source() -> None:
    vendor = PAGE / "vendor"
    text = (vendor / "README.md").read_text("utf-8")
    listed = dict(
        reversed(line.split("  ", 1))
        for line in re.findall(r"^[0-9a-f]{64}  .+$", text, re.MULTILINE)
    )
    there = {
        path.relative_to(vendor).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert there == listed
    version = re.search(
        r"Highlight\.js v([\d.]+)", (vendor / "highlight.js/core.min.js").read_text()
    )
    assert version is not None
    assert f"| highlight.js | {version[1]} | BSD-3-Clause" in text
    assert "BSD 3-Clause License" in (vendor / "highlight.js" / "LICENSE").read_text("utf-8")


def test_every_language_that_the_page_knows_is_there_and_no_other() -> None:
    text = (PAGE / "js" / "languages.js").read_text("utf-8")
    table = text[text.index("NEEDS = {") : text.index("};")]
    known = set(re.findall(r"(\w+): \[", table))
    needed = {
        one for many in re.findall(r"\[([^\]]*)\]", table) for one in re.findall(r'"(\w+)"', many)
    }
    there = {
        path.name.removesuffix(".min.js") for path in (PAGE / "vendor").rglob("languages/*.js")
    }
    assert known == there
    assert needed <= known
    chosen = re.findall(r': "(\w+)"', text[text.index("BY_EXTENSION") :])
    assert set(chosen) <= known


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_script_of_ours_can_make_markup_or_code_of_text(path: Path) -> None:
    text = path.read_text("utf-8")
    code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
        r"|setHTML|\beval\b|new Function|srcdoc|\.cssText|setAttribute\(\"style\""
    )
    found = [one for one in re.findall(forbidden, code) if path.name != "dom.js" or one != "srcdoc"]
    assert not found
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|html\.spec)", code)


class _Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("html", SCRIPTS)
def test_the_html_has_no_inline_script_or_style_and_asks_no_other_server(html: str) -> None:
    parser = _Attributes()
    parser.feed((PAGE / html).read_text("utf-8"))
    for tag, attributes in parser.tags:
        assert tag not in ("style", "base", "iframe", "object", "embed")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "script":
            assert attributes.get("src")
        for name in ("src", "href"):
            address = attributes.get(name) or ""
            assert not re.match(r"[a-z]+:|//|/", address)
            if address and not address.startswith("#") and address not in PAGES:
                assert (PAGE / address).is_file()


def needed_by(script: str) -> set[str]:
    """The modules that a script imports, directly or not."""
    needed, queue = set[str](), [PAGE / script]
    while queue:
        path = queue.pop()
        for match in IMPORT.findall(path.read_text("utf-8")):
            target = (path.parent / (match[0] or match[1])).resolve()
            name = target.relative_to(PAGE).as_posix()
            if name not in needed:
                needed.add(name)
                queue.append(target)
    return needed


@pytest.mark.parametrize("html", SCRIPTS)
def test_every_module_is_asked_for_at_once(html: str) -> None:
    text = (PAGE / html).read_text("utf-8")
    preloaded = set(re.findall(r'rel="modulepreload" href="([^"]+)"', text))
    assert preloaded == needed_by(SCRIPTS[html])


def test_every_script_is_used() -> None:
    needed = set[str]().union(*map(needed_by, SCRIPTS.values()))
    used = {name.rpartition("/")[2] for name in needed} | WORKER | set(SCRIPTS.values())
    assert {path.name for path in OURS} == used


@pytest.mark.slow
def test_what_is_hidden_is_the_same_on_the_page_and_on_the_command_line() -> None:
    text = (PAGE / "js" / "show.js").read_text("utf-8")
    written = re.search(r"/\[(.+?)\]/gu;", text)
    assert written is not None
    ranges = re.sub(
        r"\\u\{([0-9a-f]+)\}|\\u([0-9a-f]{4})",
        lambda match: f"\\U{(match[1] or match[2]):0>8}",
        written[1],
    )
    ours = re.compile(f"[{ranges}]")
    for code in range(0x110000):
        character = chr(code)
        hidden = escape.show(character) != character
        assert bool(ours.match(character)) == hidden, hex(code)


def test_the_example_is_a_diff() -> None:
    text = (PAGE / "js" / "example.js").read_text("utf-8")
    example = text[text.index("`") + 1 : text.rindex("`")]
    (file,) = parse_diff(example.encode())
    assert file.path == "shop/orders.py"
    assert len(file.hunks) == 2
