"""Patterns as in .gitignore: what git says of a path, and never more time than both are long."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reviewbot.core.plan.globs import read_pattern
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def matched(glob: str, *paths: str) -> set[str]:
    """The ``paths`` that a pattern matches, or that are in a directory that it matches."""
    pattern = read_pattern(glob)
    return {path for path in paths if pattern is not None and pattern.match(path) is not None}


class Git:
    """What git says of one pattern, in a repository that has no files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)

    def matched(self, glob: str, paths: Iterable[str]) -> set[str]:
        exclude = self._folder / ".git" / "info" / "exclude"
        exclude.write_text(f"{glob}\n", encoding="utf-8")
        done = subprocess.run(
            ["git", "check-ignore", "--no-index", "--stdin", "-z"],
            cwd=self._folder,
            input="\0".join(paths),
            capture_output=True,
            text=True,
            check=False,  # 1 says that it matches none
        )
        assert done.returncode in (0, 1), done.stderr
        return set(done.stdout.split("\0")) - {""}


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Git:
    return Git(tmp_path_factory.mktemp("repository"))


GLOBS = r"""
a|*|**|***|/a|/*|/**|a/|*/|**/|/a/|a/b|/a/b|a/b/|a/*|a/**|a/**/|a/***|*/a|**/a|***/a|**/a/|**/a/b
**/a/*|**/a/**|**/a/**/b|a/**/b|a/**/**/b|a/**/b/**/a|a/*/b|a*|*a|*a*|a*b|*a*b|a*b*|a?|?a|?|??
/?/a|a**b|**b|a**|a/b**|[ab]|[!a]|[^a]|[a-b]|[!a-b]|x[+-9]y|x[!a]y|[]a]|[]-a]|[!]a]|[a-]|[--0]
[\]a]|[a\]]|[\\]|[0-\]]|[[a]|[[:]|[[:alpha:]]|[[:digit:][:upper:]]|[![:alpha:]]|[[:digit:]-z]
[[:punct:]]|[[:space:]]|[[:xdigit:]]x|[[:nonsense:]]|[[::]]|[[:alpha:]|[|[a|a[|[]|[!]|[\|a/[b]|[a/b]
\a|\*|a\*|\[a]|\?|\!a|\#a|a\/b|a\ |a |a  |a\  | a|a//|//|/|//a|a//b|*.py|a.*|*.*|.|..|a.py/|**/*.py
src/**/test_*.py|src/*/test_?.py|docs/**|/docs/*.md|b/[!a]*/**|**/b*/a*/**/*.py
//**|a//**|a/**//|a/**//**/b|**//a
"""
PATHS = r"""
a|b|A|1|aa|ab|ba|abb|aab|abab|a/b|b/a|a/a|a/b/a|a/a/b|a/x/b|a/x/y/b|x/a|x/a/b|x/y/a/b/b|a/x/b/y/a/z
x/a/b/c|aXb|a/Xb|x+y|x/y|x/a/y|xay|xby|x9y|]|[|-|p|[a|[]|a]|\|a\b|*|a*|a**|?|!a|#a| a|a |x|xx|fx|1x
a.py|x/a.py|x/y/a.py|a.py/b|src/test_a.py|src/x/test_a.py|src/x/y/test_ab.py|docs/a.md
docs/x/a.md|x/docs/a.md|.a|..a|.py|b/b/c|b/bx/ax/y/a.py|b/ax/y|~|!|z
"""


@pytest.mark.parametrize(
    "glob", [one for line in GLOBS.strip().split("\n") for one in line.split("|")]
)
def test_a_pattern_matches_what_git_says(git: Git, glob: str) -> None:
    paths = [path for line in PATHS.strip().split("\n") for path in line.split("|")]
    assert matched(glob, *paths) == git.matched(glob, paths)


# Within these letters every pattern is one that git reads as its documentation says. It takes what
# is left of "a**/b" after the "a" for a pattern of its own, whose stars cross directories.
SEGMENTS = st.text("ab*?", min_size=1, max_size=8).filter(
    lambda text: "**" not in text or not text.strip("*")
)
STARRY = st.builds(
    lambda start, segments, end: start + "/".join(segments) + end,
    st.sampled_from(["", "/"]),
    st.lists(st.one_of(SEGMENTS, st.just("**")), min_size=1, max_size=6),
    st.sampled_from(["", "/"]),
)
SHORT = st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=7).map("/".join)


@given(glob=STARRY, paths=st.sets(SHORT, min_size=1, max_size=30))
@settings(max_examples=examples(300))
@example(glob="*a*a*a*b", paths={"aaa", "aaab", "aabab", "aabaa/aab", "aab/aaab/b"})
@example(glob="**/a/**/a*/**/b", paths={"a/a/b", "a/ab/b", "a/b/a/b", "b/a/a/a/b/b", "a/a/b/a"})
def test_however_many_stars_it_matches_what_git_says(git: Git, glob: str, paths: set[str]) -> None:
    assert matched(glob, *paths) == git.matched(glob, paths)


def test_stars_beside_letters_cross_no_directory() -> None:
    """As git's documentation has it; git itself lets those of "a**/b" do so."""
    assert matched("a**/b", "a/b", "ax/b", "ax/y/b", "a/x/b") == {"a/b", "ax/b"}
    assert matched("x/**a/b", "x/a/b", "x/ya/b", "x/y/a/b") == {"x/a/b", "x/ya/b"}


def test_a_letter_of_many_bytes_is_one_letter() -> None:
    """To git, it is as many as it has bytes."""
    paths = ["\N{LATIN SMALL LETTER E WITH ACUTE}", "e", "ee"]
    assert matched("?", *paths) == set(paths[:2])
    assert matched("[!e]", *paths) == matched(f"[{paths[0]}]", *paths) == {paths[0]}


CHOICES = st.lists(
    st.one_of(
        st.sampled_from(
            ["a", "b", "-", "]", "[", "\\\\", "\\]", "[:alpha:]", "[:digit:]", ":", "0"]
        ),
        st.sampled_from(["a-b", "0-a", "--0", "[-b", "0-\\]"]),
    ),
    min_size=1,
    max_size=4,
).map("".join)


@given(
    before=st.sampled_from(["", "*", "a", "?*"]),
    negated=st.sampled_from(["", "!", "^"]),
    of=CHOICES,
)
@settings(max_examples=examples(200))
def test_a_set_is_of_the_characters_that_git_says(
    git: Git, before: str, negated: str, of: str
) -> None:
    glob = f"{before}[{negated}{of}]"
    paths = [*"ab-][\\0Z", *(f"a{letter}" for letter in "ab-][\\:0Z"), "a/a", "a/b"]
    try:
        found = matched(glob, *paths)
    except ValueError:  # a range that is none, such as "]-0": git takes it and it matches nothing
        return
    assert found == git.matched(glob, paths)


def test_the_path_itself_is_told_from_a_directory_that_it_is_in() -> None:
    def told(glob: str, path: str) -> str | None:
        pattern = read_pattern(glob)
        assert pattern is not None
        return pattern.match(path)

    assert told("a", "x/a") == "path"
    assert told("a", "a/x") == "directory"
    assert told("a", "a/x/a") == "path"
    assert told("a/**/b", "a/b/x/b") == "path"
    assert told("a/**/b", "a/b/x") == "directory"
    assert told("a/", "a/a") == "directory"
    assert told("a/", "a") is None
    assert told("a/**", "a/x/y") == "path"


def test_a_line_break_in_a_path_hides_it_from_no_pattern() -> None:
    assert matched("**/a.py", "x\ny/a.py")
    assert matched("*.py", "a\nb.py")
    assert matched("x?y", "x\ny")
    assert not matched("a.py", "a.py\n")


def test_bytes_that_are_no_text_are_characters_like_others() -> None:
    assert matched("a*[!b]?.py", "a\udcff\udcfe\n.py")


@pytest.mark.parametrize("glob", ["!", "a\\", "!a\\", "[b-a]", "x[!9-0]", "a\\/"])
def test_what_is_no_pattern_is_an_error_that_names_it(glob: str) -> None:
    with pytest.raises(ValueError, match="is not a gitignore pattern") as error:
        read_pattern(glob)
    assert repr(glob) in str(error.value)


@pytest.mark.parametrize("glob", ["", "  ", "# a", "/", "!/"])
def test_what_is_no_pattern_and_no_fault_is_none(glob: str) -> None:
    assert read_pattern(glob) is None


def test_a_pattern_that_begins_with_an_exclamation_mark_is_negated() -> None:
    negated, plain = read_pattern("!a"), read_pattern(r"\!a")
    assert negated is not None
    assert negated.negated
    assert negated.match("a")
    assert plain is not None
    assert not plain.negated
    assert plain.match("!a")


HOSTILE = {
    "stars in one name": ("*a" * 400 + "*b", "a" * 4000),
    "stars in a name at any depth": ("*a" * 400 + "*b", "/".join(["a" * 60] * 60)),
    "stars in each of many names": ("/".join(["*a*a*a*b"] * 60), "/".join(["a" * 60] * 60)),
    "stars that end as they should but for one": ("*a" * 400 + "*b/c", "a" * 3000 + "b/a"),
    "directories without end": ("**/a/" * 150 + "b", "a/" * 2000 + "a"),
    "directories and names": ("**/*a*a/" * 100 + "b", "aaa/" * 1000 + "a"),
    "directories that come again": ("a/**/" * 150 + "b/", "a/" * 2000 + "b"),
    "question marks": ("*" + "?" * 400 + "b", "a" * 4000),
    "question marks and stars": ("*?" * 400 + "b", "a" * 4000),
    "sets": ("*[ab]" * 150 + "*[c]", "ab" * 2000),
    "negated sets": ("*[!b]" * 150 + "*[!a]", "a" * 4000),
    "many stars in one": ("a" + "*" * 900 + "b", "a" * 4000),
    "many directories in one": ("**/" * 300 + "b", "a/" * 2000 + "a"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_pattern_takes_more_time_than_it_and_the_path_are_long(name: str) -> None:
    """Each would go on for ages if one star more could double the work; the time is generous."""
    code = (
        "from reviewbot.core.plan.policy import git_attributes, path_patterns\n"
        "glob, path = input().split(' ')\n"
        "for ending in ('', 'c', '/c'):\n"
        "    path_patterns([glob + ending])(path)\n"
        "    git_attributes(f'{glob}{ending} linguist-generated')(path)\n"
    )
    glob, path = HOSTILE[name]
    subprocess.run(
        [sys.executable, "-c", code], input=f"{glob} {path}", text=True, check=True, timeout=20
    )
