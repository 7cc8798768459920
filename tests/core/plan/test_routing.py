"""Routing: the first route whose conditions hold decides, a split is fair, and nothing is luck."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.plan.categories import CATEGORIES, categories_of
from reviewbot.core.plan.policy import path_patterns
from reviewbot.core.plan.routing import AB_SPLIT, MODEL, Chain, Route, Routed, Routing, Split, draw

REST = Chain(MODEL, ("rest",))
OTHER = Chain(AB_SPLIT, ("other",))


def file_of(path: str, *lines: str, start: int = 1, context: str = "") -> FileDiff:
    """A changed file; ``lines`` have their markers."""
    lines = lines or ("+x",)
    lines = (f" {context}", *lines) if context else lines
    olds, news = (sum(line[0] != mark for line in lines) for mark in "+-")
    body = "".join(f"{line}\n" for line in lines)
    header = f"@@ -{start if olds else start - 1},{olds} +{start if news else start - 1},{news} @@"
    (file,) = parse_diff(f"--- a/{path}\n+++ b/{path}\n{header}\n{body}".encode())
    return file


def route(index: int = 0, **conditions: Any) -> Route:
    name = f"routes[{index}]"
    return Route(name, Chain(name, (f"m{index}",)), **conditions)


def decided(routes: list[Route], *files: FileDiff, split: Split | None = None) -> list[str]:
    return [one.by for one in Routing(REST, tuple(routes), split).decide(files)]


def test_the_first_route_that_matches_decides_and_the_rest_goes_to_the_model() -> None:
    routes = [
        route(0, paths=path_patterns(["docs/"])),
        route(1, categories=frozenset({"docs", "tests"})),
    ]
    files = [file_of("docs/a.md"), file_of("b.md"), file_of("tests/c.py"), file_of("d.py")]
    assert Routing(REST, tuple(routes)).decide(files) == (
        Routed(routes[0].chain, "routes[0]"),
        Routed(routes[1].chain, "routes[1]"),
        Routed(routes[1].chain, "routes[1]"),
        Routed(REST, MODEL),
    )


def test_an_exclamation_mark_leaves_a_path_out_of_a_route() -> None:
    taken = route(paths=path_patterns(["docs/", "!docs/api/"]))
    assert decided([taken], file_of("docs/a.md"), file_of("docs/api/b.md")) == ["routes[0]", MODEL]


def test_lines_are_those_that_come_and_go() -> None:
    two = file_of("a.py", " c", "+x", "-y", " d")
    assert decided([route(max_lines=2)], two) == ["routes[0]"]
    assert decided([route(max_lines=1)], two) == [MODEL]
    assert decided([route(min_lines=2)], two) == ["routes[0]"]
    assert decided([route(min_lines=3)], two) == [MODEL]


def test_the_size_of_the_change_is_that_of_all_its_files() -> None:
    files = [file_of("a.py", "+x", "+y"), file_of("b.py", "+z")]
    assert decided([route(max_change_lines=3)], *files) == ["routes[0]", "routes[0]"]
    assert decided([route(max_change_lines=2)], *files) == [MODEL, MODEL]
    assert decided([route(min_change_lines=3)], *files) == ["routes[0]", "routes[0]"]
    assert decided([route(min_change_lines=4)], *files) == [MODEL, MODEL]


paths = st.sampled_from(["docs/a.md", "a.py", "tests/t.py", "auth.py", "x.tf", "package.json"])
bounds = st.none() | st.integers(0, 5)
files = st.builds(
    lambda path, count, mark: file_of(path, *[f"{mark}line {n}" for n in range(count)]),
    paths,
    st.integers(1, 4),
    st.sampled_from("+-"),
)


@st.composite
def many_routes(draw: st.DrawFn) -> list[Route]:
    return [
        route(
            index,
            paths=draw(st.none() | st.sampled_from(["docs/", "*.py"]).map(lambda p: p.__eq__)),
            categories=draw(st.none() | st.frozensets(st.sampled_from(CATEGORIES), min_size=1)),
            min_lines=draw(bounds),
            max_lines=draw(bounds),
            min_change_lines=draw(bounds),
            max_change_lines=draw(bounds),
        )
        for index in range(draw(st.integers(0, 4)))
    ]


def meets_all(one: Route, file: FileDiff, total: int) -> bool:
    """The conditions of a route, written out one by one."""
    changed = file.added + file.removed
    if one.paths is not None and not one.paths(file.path):
        return False
    if one.categories is not None and not one.categories & categories_of(file):
        return False
    if changed < (one.min_lines or 0) or total < (one.min_change_lines or 0):
        return False
    if one.max_lines is not None and changed > one.max_lines:
        return False
    return one.max_change_lines is None or total <= one.max_change_lines


@given(many_routes(), st.lists(files, max_size=4))
def test_every_file_goes_where_the_first_route_that_it_meets_sends_it(
    routes: list[Route], many: list[FileDiff]
) -> None:
    total = sum(file.added + file.removed for file in many)
    wanted = [
        next((one.name for one in routes if meets_all(one, file, total)), MODEL) for file in many
    ]
    assert decided(routes, *many) == wanted


# --- The split


def test_a_share_of_nothing_is_nobody_and_of_all_is_everybody() -> None:
    many = [file_of(f"{number}.py") for number in range(50)]
    assert set(decided([], *many, split=Split(OTHER, 0.0))) == {MODEL}
    assert set(decided([], *many, split=Split(OTHER, 1.0))) == {AB_SPLIT}


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_is_about_the_share(share: float) -> None:
    many = [file_of(f"src/{number}.py", f"+value = {number}") for number in range(2000)]
    taken = decided([], *many, split=Split(OTHER, share)).count(AB_SPLIT)
    assert abs(taken / len(many) - share) < 0.03


@given(st.lists(files, min_size=1, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_what_is_of_a_share_is_of_every_larger_one_and_each_time(
    many: list[FileDiff], one: float, other: float
) -> None:
    small, large = sorted((one, other))
    assert not Split(OTHER, small).takes(many) or Split(OTHER, large).takes(many)
    assert draw(many) == draw(many)
    assert 0 <= draw(many) < 1


def test_the_draw_is_by_path_and_changed_lines_and_not_by_where_they_stand() -> None:
    first = file_of("a.py", "+x", "-y")
    assert draw([first]) == draw([file_of("a.py", "+x", "-y", start=90, context="c")])
    others = [
        file_of("b.py", "+x", "-y"),
        file_of("a.py", "+x", "+y"),
        file_of("a.py", "+x"),
        file_of("a.py", "+xy"),
        file_of("a.py", "-y", "+x"),
    ]
    assert len({draw([one]) for one in (first, *others)}) == 6
    assert draw([first, others[0]]) != draw([others[0], first])


def test_the_draw_is_the_same_on_every_machine() -> None:
    # It was so when this was written: another number would move files to another model.
    assert draw([file_of("a.py", "+x")]) == pytest.approx(0.0876869133984377, abs=1e-15)


def test_a_file_that_a_route_takes_is_not_split() -> None:
    routed = [route(paths=path_patterns(["docs/"]))]
    split = Split(OTHER, 1.0)
    assert decided(routed, file_of("docs/a.md"), file_of("b.py"), split=split) == [
        "routes[0]",
        AB_SPLIT,
    ]


def test_whole_changes_are_split_whole() -> None:
    split = Split(OTHER, 0.5, by="change")
    seen = set()
    for number in range(40):
        many = [file_of(f"{number}.py"), file_of(f"{number}.js"), file_of("same.py")]
        seen.add(tuple(decided([], *many, split=split)))
    assert seen == {(MODEL,) * 3, (AB_SPLIT,) * 3}


def test_single_files_are_split_one_by_one() -> None:
    many = [file_of(f"{number}.py") for number in range(40)]
    assert set(decided([], *many, split=Split(OTHER, 0.5))) == {MODEL, AB_SPLIT}
    alone = [decided([], one, split=Split(OTHER, 0.5))[0] for one in many]
    assert decided([], *many, split=Split(OTHER, 0.5)) == alone, "the others have no say"
