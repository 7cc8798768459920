"""HTML around PHP, which is blanked before the code is parsed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reviewbot.models.offline.php_markup import blank_markup
from tests.models.hunks import added, review_chunk

PAGE = """<h1>Track</h1>
<?php $name = $_GET['name']; ?>
<?php if ($name): ?>
<p class="x">It's <?= $name ?></p>
<?php endif; ?>
"""


def test_only_php_is_left_where_it_was() -> None:
    code = blank_markup(PAGE)
    assert code.split("\n") == [
        " " * 14,
        "      $name = $_GET['name']; ; ",
        "      if ($name): ; ",
        " " * 18 + "$_= $name ;     ",
        "      endif; ; ",
        "",
    ]


def test_php_without_html_stays_as_it_is() -> None:
    for code in ("<?php\n$a = $b <=> 1;\n", "$a = 1;\n", "<?php echo 1 ?"):
        assert blank_markup(code) == code


def test_what_a_page_prints_is_reviewed() -> None:
    found = review_chunk(added("page.php", PAGE.rstrip("\n")))
    assert [(item["line"], item["rule"]) for item in found] == [(4, "php/xss")]


@given(st.lists(st.sampled_from(["<?php", "<?=", "?>", "\n", " ", "<", "?", "a"])).map("".join))
def test_every_line_break_and_length_is_kept(text: str) -> None:
    code = blank_markup(text)
    assert [len(line) for line in code.split("\n")] == [len(line) for line in text.split("\n")]
