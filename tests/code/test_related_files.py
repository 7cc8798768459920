"""Files of a diff that belong together: tests, imports, and users of changed definitions."""

from __future__ import annotations

from reviewbot.code.related_files import MOST_LINES, related_files
from reviewbot.core.diff.parse import FileDiff, parse_diff
from tests.support.chunk_plans import diff_of


def changed(path: str, *lines: str) -> FileDiff:
    (file,) = parse_diff(diff_of(lines, path=path))
    return file


def groups(*files: FileDiff) -> list[list[str]]:
    """The paths of each group of more than one file."""
    members: dict[int, list[str]] = {}
    for file, (number, _) in zip(files, related_files(files), strict=True):
        members.setdefault(number, []).append(file.path)
    return [paths for paths in members.values() if len(paths) > 1]


def test_a_test_belongs_to_the_source_of_its_name() -> None:
    files = [
        changed("shop/cart.py", "+x = 1"),
        changed("tests/test_cart.py", "+y = 1"),
        changed("web/button.test.tsx", "+y"),
        changed("web/button.tsx", "+y"),
        changed("pkg/server_test.go", "+y"),
        changed("pkg/server.go", "+y"),
        changed("src/UserTest.php", "+y"),
        changed("src/User.php", "+y"),
        changed("latest.py", "+y"),
        changed("la.py", "+y"),
    ]
    assert groups(*files) == [
        ["shop/cart.py", "tests/test_cart.py"],
        ["web/button.test.tsx", "web/button.tsx"],
        ["pkg/server_test.go", "pkg/server.go"],
        ["src/UserTest.php", "src/User.php"],
    ]


def test_a_source_and_its_test_are_a_part_of_their_group() -> None:
    files = [
        changed("shop/api.py", " from shop.money import rate", "+x = 1"),
        changed("shop/money.py", "+y = 1"),
        changed("tests/test_api.py", "+z = 1"),
    ]
    assert related_files(files) == [(0, 0), (0, 1), (0, 0)]


def test_files_that_only_share_a_common_name_stay_apart() -> None:
    files = [
        changed("a/index.ts", "+x"),
        changed("b/index.ts", "+x"),
        changed("b/index.test.ts", "+x"),
    ]
    assert groups(*files) == []


def test_a_file_belongs_to_the_changed_file_that_it_imports() -> None:
    files = [
        changed("shop/api.py", " from shop.money import rate", "+x = 1"),
        changed("shop/other.py", "+x = 1"),
        changed("shop/money.py", "+y = 1"),
    ]
    assert groups(*files) == [["shop/api.py", "shop/money.py"]]


def test_a_file_belongs_to_the_changed_definition_that_its_changes_use() -> None:
    files = [
        changed("pkg/a.go", "+\ttotal := chargeOrder(order)"),
        changed("pkg/b.go", "+\tx := 1"),
        changed(
            "pkg/c.go",
            "-func chargeOrder(o Order) int {",
            "+func chargeOrder(o Order) (int, error) {",
        ),
    ]
    assert groups(*files) == [["pkg/a.go", "pkg/c.go"]]


def test_a_name_that_many_files_use_or_define_relates_nothing() -> None:
    users = [changed(f"pkg/u{number}.go", "+\tchargeOrder(o)") for number in range(9)]
    assert groups(changed("pkg/c.go", "+func chargeOrder(o Order) int {"), *users) == []
    twice = [changed(f"pkg/d{number}.go", "+func setupAll() {") for number in range(2)]
    assert groups(*twice, changed("pkg/e.go", "+\tsetupAll()")) == []


def test_files_beyond_the_limit_of_lines_stay_apart() -> None:
    long = changed("pkg/long.go", *["+x"] * MOST_LINES)
    files = [
        long,
        changed("pkg/c.go", "+func chargeOrder() {"),
        changed("pkg/a.go", "+chargeOrder()"),
    ]
    assert groups(*files) == []


def test_files_that_are_not_source_stay_apart() -> None:
    assert groups(changed("docs/cart.md", "+x"), changed("docs/test_cart.md", "+x")) == []
