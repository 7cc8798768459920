"""Draws ``docs/images/review.png``: ``python -m tests.draw_review``.

A real run of the Action on a pull request of the fake GitHub, by the offline rules; what it posted
there is set as GitHub sets Markdown, and photographed in Chromium. The words of the picture are
kept beside it, and what they hash to within it, so that a test can tell that it is not the
renderer's any more, or not of these words.

The icons of severities need a font, such as Debian's package ``fonts-noto-color-emoji``.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt
from playwright.async_api import async_playwright

from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import Runner
from tests.page.conftest import ARGUMENTS, chromium
from tests.png import chunks, joined

if TYPE_CHECKING:
    from tests.fake_github import PullRequest
    from tests.fake_github.comments import ReviewComment

PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "review.png"

WORDS: Final = PICTURE.with_suffix(".txt")

WIDTH: Final = 908

BEFORE: Final = '''\
"""Orders of the shop."""


class OrderStore:
    def __init__(self, db):
        self.db = db

    def total(self, lines):
        return sum(line.price * line.quantity for line in lines)

    def find(self, order_id):
        return self.db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
'''
AFTER: Final = f"""{BEFORE}

def drop_empty(orders):
    for order_id, order in orders.items():
        if not order.lines:
            del orders[order_id]
    return orders
"""
SCRIPT: Final = """\
export async function load(ids) {
  const orders = [];
  ids.forEach(async (id) => {
    orders.push(await fetch(`/orders/${id}`));
  });
  return orders;
}
"""
STYLE: Final = """
body { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif;
       color: #1f2328; background: #fff; margin: 0; padding: 24px; width: 860px; }
.check { border: 1px solid #d1d9e0; border-radius: 6px; padding: 10px 16px; margin-bottom: 16px; }
.check b { color: #cf222e; }
.box { border: 1px solid #d1d9e0; border-radius: 6px; margin-bottom: 16px; overflow: hidden; }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; color: #59636e; }
.head b { color: #1f2328; }
.bot { border: 1px solid #d1d9e0; border-radius: 2em; padding: 0 7px; font-size: 12px; }
.body { padding: 8px 16px; }
table { border-collapse: collapse; margin: 8px 0; }
th, td { border: 1px solid #d1d9e0; padding: 5px 12px; text-align: left; }
tr:nth-child(even) td { background: #f6f8fa; }
code { background: #818b981f; border-radius: 6px; padding: .2em .4em;
       font: 12px ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace; }
pre { background: #f6f8fa; border-radius: 6px; padding: 12px; overflow: hidden; }
pre code { background: none; padding: 0; }
.diff { font: 12px/20px ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace;
        white-space: pre; border-bottom: 1px solid #d1d9e0; }
.diff div { padding: 0 16px; } .added { background: #dafbe1; } .hunk { background: #ddf4ff; }
h3 { margin: 12px 0 4px; } p { margin: 6px 0; } a { color: #0969da; text-decoration: none; }
blockquote { margin: 6px 0; padding: 0 12px; border-left: 4px solid #d1d9e0; color: #59636e; }
details { margin: 6px 0; }
"""


async def main() -> None:
    """Run, set and draw."""
    page = await drawn()
    words = words_of(page)
    WORDS.write_text(words, encoding="utf-8")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        view = await browser.new_page(viewport={"width": WIDTH, "height": 600})
        await view.set_content(page)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        header, *rest = chunks(await view.screenshot(full_page=True))
        PICTURE.write_bytes(joined([header, note_of(words), *rest]))
        await browser.close()


async def drawn() -> str:
    """The page of a review that was really made."""
    async with FakeGitHub() as github, FakeAnthropic() as model:
        with tempfile.TemporaryDirectory() as folder:
            # The linters of this machine would be named in the picture.
            base = {"shop/orders.py": BEFORE, ".reviewbot.yml": "linters: false\n"}
            head = base | {"shop/orders.py": AFTER, "web/orders.js": SCRIPT}
            pull = github.pull(base=base, head=head, repository="acme/shop", private=False)
            await Runner(github, model, Path(folder)).run(pull, model="offline", fail_on="error")
        return page_of(pull)


def words_of(page: str) -> str:
    """What a reader of the page sees, but for commits and times, which are others each time."""
    shown = re.sub(r"(?s)<style>.*?</style>|<!--.*?-->|<[^>]+>", " ", page)
    words = " ".join(html.unescape(shown).split())
    timeless = re.sub(r"(?: ?; (?:first finding after )?\d+\.\d s)+", "", words)
    return re.sub(r"\b[0-9a-f]{7,40}\b", "...", timeless) + "\n"


def note_of(words: str) -> tuple[bytes, bytes]:
    """What the picture says it was drawn from: a chunk of text."""
    return b"tEXt", b"drawn from\0" + hashlib.sha256((STYLE + words).encode()).hexdigest().encode()


def page_of(pull: PullRequest) -> str:
    """What was posted on a pull request, as one page."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    [summary] = pull.comments
    [run] = pull.repo.check_runs.values()
    first = pull.review_comments[0]
    parts = [
        f'<div class="check"><b>&#10007;</b> {run.name}: {html.escape(run.title or "")}</div>',
        _box(summary.user.login, "commented", markdown.render(summary.body)),
        _box(
            first.user.login, f"on {first.thread.anchor.path}",
            _diff(first) + markdown.render(first.body),
        ),
    ]  # fmt: skip
    return f"<!doctype html><style>{STYLE}</style>{''.join(parts)}"


def _box(author: str, did: str, body: str) -> str:
    name = author.removesuffix("[bot]")
    head = f'<b>{name}</b> <span class="bot">bot</span> {html.escape(did)}'
    return f'<div class="box"><div class="head">{head}</div><div class="body">{body}</div></div>'


def _diff(comment: ReviewComment) -> str:
    lines = comment.thread.anchor.hunk.split("\n")
    shown = [lines[0], *lines[-4:]]
    kinds = {"+": "added", "@": "hunk"}
    rows = [
        f'<div class="{kinds.get(line[:1], "")}">{re.sub(" ", "&nbsp;", html.escape(line))}</div>'
        for line in shown
    ]
    return f'<div class="diff">{"".join(rows)}</div>'


if __name__ == "__main__":
    asyncio.run(main())
