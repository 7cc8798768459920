"""Names in findings, and lines that look like definitions or calls of a name."""

from __future__ import annotations

import pytest

from reviewbot.code.definitions import (
    defined_name,
    definition_lines,
    is_symbol,
    use_lines,
)
from tests.support.timing import cpu_at_most

DEFINITIONS = [
    "def charge(order):",
    "    async def charge(self):",
    "class charge(Base):",
    "export default class charge {",
    "export const charge = (order) => {",
    "let charge;",
    "function charge(order) {",
    "  async charge(order) {",
    "  charge(order): Promise<void> {",
    "func charge(order Order) error {",
    "func (s *Shop) charge(order Order) error {",
    "type charge struct {",
    "pub fn charge<T>(order: T) {",
    "impl<T> charge<T> {",
    "#define charge(x) (x)",
    "# define charge 1",
    "struct charge {",
    "static int *charge(int order)",
    "void Shop::charge(int order) {",
    "    public Map<String, Long> charge(Order order) throws Error {",
    "charge = 1",
    "charge: int = 1",
    "charge := 1",
    "exports.charge = function () {",
    "module.exports.charge = charge",
    "def self.charge",
    "interface charge {",
    "enum charge {",
    "macro_rules! charge {",
    "fun Shop.charge(order: Order) {",
]
USES = [
    "charge(order);",
    "    return charge(order)",
    "    x = charge(order)",
    "charge == 1",
    "if charge:",
    "import charge",
    "from shop import charge",
    "    throw new charge(order)",
    "recharge = 1",
    "def recharge(order):",
    "    const total = charge(order);",
    "    await charge(order)",
    "charge(order)",
    "    charge(",
    "    puts charge(order)",
    "    a, charge(order)",
    "    if (charge(order)) {",
    "# charge",
    "",
]


@pytest.mark.parametrize("line", DEFINITIONS)
def test_a_definition_is_recognised(line: str) -> None:
    assert definition_lines("charge", ["", line]) == [1]


@pytest.mark.parametrize("line", USES)
def test_a_use_is_not_a_definition(line: str) -> None:
    assert definition_lines("charge", [line]) == []


def test_the_time_for_a_hostile_line_is_short() -> None:
    lines = [
        "a " * 200 + "charge(",
        "<" * 200 + "charge(",
        "def " * 100 + "charge",
        "a::" * 130 + "charge (",
        "charge" + " " * 390 + "!",
        "a." * 190 + " charge",
    ]
    with cpu_at_most(50):
        definition_lines("charge", lines * 100)


@pytest.mark.parametrize(
    "text", ["-Orm", "--open-files-in-pager=x", "ab", "a" * 65, "abc\n", "a b", "abé", "", "a;b"]
)
def test_what_is_not_an_identifier_is_not_searched(text: str) -> None:
    assert not is_symbol(text)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("def charge(order: Order = load()) -> int:", "charge"),
        ("public static int charge(Order order) {", "charge"),
        ("func (s *Shop) charge(order Order) error {", "charge"),
        ("const charge = async (order) => {", "charge"),
        ("void Shop::charge(int order)", "charge"),
        ("class Shop(Base):", "Shop"),
        ("pub fn charge<T>(order: T) {", "charge"),
        ("def __init__(self):", None),
        ("function (order) {", None),
        ("def é_charge(order):", None),
        ("", None),
    ],
)
def test_a_header_defines_one_name(header: str, name: str | None) -> None:
    assert defined_name(header) == name


@pytest.mark.parametrize(
    ("line", "is_use"),
    [
        ("    return charge(order)", True),
        ("shop.charge (order);", True),
        ("with charge(order) as due:", True),
        ("from shop import charge", True),
        ("recharge(order)", False),
        ("charge_all(order)", False),
        ("def charge(order):", False),
        ("void Shop::charge(int order) {", False),
        (" " * 400 + "charge(order)", False),
    ],
)
def test_a_use_is_a_whole_name_outside_of_its_definition(line: str, is_use: bool) -> None:
    assert use_lines("charge", ["", line]) == ([1] if is_use else [])
