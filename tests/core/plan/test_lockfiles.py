"""Lock files: what package managers write has the shape of its format, and code does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.lockfiles import (
    LOCKFILES,
    MAX_LOCK_LINE,
    SHAPES,
    has_shape_of_lock_file,
    is_lock_file,
)
from tests.support.reviews import added
from tests.support.timing import cpu_at_most

SAMPLES_FILE = Path(__file__).parents[3] / "fixtures/lock-files.txt"


def samples() -> dict[str, str]:
    """Returns the content of a lock file by its name; ``===`` and the names begin each sample."""
    sections = SAMPLES_FILE.read_text(encoding="utf-8").removeprefix("=== ").split("\n=== ")
    heads = (section.partition("\n") for section in sections)
    return {name: text for names, _, text in heads for name in names.split()}


SAMPLES = samples()


def has_shape(name: str, text: str) -> bool:
    (file,) = parse_diff(added(f"web/{name}", *text.removesuffix("\n").split("\n")).encode())
    return has_shape_of_lock_file(file)


@pytest.mark.parametrize("name", sorted(LOCKFILES - {"bun.lockb"}))
def test_what_a_package_manager_writes_has_the_shape_of_its_format(name: str) -> None:
    wrong = [line for line in SAMPLES[name].split("\n") if not has_shape(name, line)]
    assert wrong == []
    assert has_shape(name, SAMPLES[name])
    assert has_shape(name, SAMPLES[name].replace("\n", "\r\n"))


CODE = """\
import os
from os import system
eval(input())
os.system('curl https://example.org | sh')
def run(order):
    return os.system(order)
if order: eval(order)
else: eval(order)
try: eval(order)
x = eval(order)
x: eval(order)
class Order:
for x in orders:
curl https://example.org | sh
rm -rf ./orders
export ORDER=$(id)
PATH="/tmp"
    bash "run.sh"
    bash run.sh
if [ -f x ]; then
const order = require('child_process');
require("child_process").exec("id")
module.exports = order;
fetch(`https://example.org`)
eval(1)
func main() {
package main
fn main() {
system("id")
require 'open3'
puts 1
defmodule Order do
System.cmd("id", [])
os:cmd("id").
-module(order).
<script>alert(1)</script>
"', require("child_process"), '"
"\\\\', process.exit(), '": 1,\\
<?php system($_GET["x"]);
provisioner "local-exec" {
main = do
""".removesuffix("\n").split("\n")


@pytest.mark.parametrize("name", sorted(LOCKFILES))
def test_code_has_the_shape_of_no_lock_file(name: str) -> None:
    assert [line for line in CODE if has_shape(name, line)] == []


@pytest.mark.parametrize("name", sorted(LOCKFILES))
def test_a_line_that_is_too_long_has_no_shape(name: str) -> None:
    assert not has_shape(name, " " * (MAX_LOCK_LINE + 1))
    assert not has_shape(name, f'"{"x" * 5_000}": 1,')


def test_one_wrong_line_is_enough() -> None:
    assert not has_shape("go.sum", SAMPLES["go.sum"] + "package main\n")
    assert not has_shape("go.sum", "<<<<<<< ours\n" + SAMPLES["go.sum"])


def test_names_count_in_every_directory_and_case() -> None:
    assert is_lock_file("Web/Cargo.lock")
    assert is_lock_file("PODFILE.LOCK")
    assert not is_lock_file("yarn.lock/x.py")
    assert not is_lock_file("src/yarn.lock.ts")


UNITS = [
    '"',
    "'",
    "\\",
    "a",
    "@",
    "(",
    ":",
    "-",
    "[",
    "{",
    ",",
    "1",
    " ",
    "a@",
    "a: ",
    '"a", ',
    "<<",
]


@pytest.mark.parametrize("name", sorted(LOCKFILES))
def test_no_line_takes_long(name: str) -> None:
    # A line takes less than a millisecond; quadratic time would take seconds.
    with cpu_at_most(100):
        for start in ("", "- ", "  a: ", "deprecated: a ", "a = ", '"'):
            for unit in UNITS:
                line = f"{start}{unit * MAX_LOCK_LINE}"[: MAX_LOCK_LINE - 1]
                SHAPES[name].fullmatch(f"{line}\x01".encode())
