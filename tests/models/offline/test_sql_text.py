"""Statements of SQL in a hunk."""

from __future__ import annotations

import pytest

from reviewbot.models.offline.model import checked
from reviewbot.models.offline.sql_text import NO_WHERE, NULL, check_sql
from tests.models.hunks import added
from tests.support.timing import cpu_at_most


def found(text: str) -> list[tuple[str, int]]:
    return [(rule, line) for rule, line, _ in check_sql(text.split("\n"))]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("DELETE FROM users;", 0),
        ("SELECT 1;\n\n  delete from only app.users ;", 2),
        ("UPDATE users\nSET name = mail, mail = 'where';", 0),
        ("-- WHERE id = 3\nDELETE FROM users;", 1),
        ("CREATE FUNCTION f() AS $$\nBEGIN\n  DELETE FROM users;\nEND $$;", 2),
    ],
)
def test_a_statement_without_where_is_found_on_the_line_of_its_verb(text: str, line: int) -> None:
    assert found(text) == [(NO_WHERE, line)]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM users WHERE id = 3;",
        "DELETE FROM users\nUSING old;",
        "UPDATE a JOIN b ON a.id = b.id SET a.name = b.name;",
        "DELETE FROM users",
        "-- DELETE FROM users;",
        "/* DELETE FROM users; */",
        "INSERT INTO log VALUES ('\nDELETE FROM users;');",
        "CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE);",
        "INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET b = 2;",
        "CREATE TRIGGER a BEFORE UPDATE ON b EXECUTE FUNCTION c();",
        "ALTER TABLE users ADD COLUMN Active boolean;\nUPDATE users SET active = true;",
    ],
)
def test_other_statements_are_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT a FROM b WHERE c = NULL;", 0),
        ("SELECT a\nFROM b\nWHERE d > 3\n  AND c <> null;", 3),
        ("SELECT CASE WHEN a.c != NULL THEN 1 END;", 0),
    ],
)
def test_a_comparison_with_null_is_found(text: str, line: int) -> None:
    assert found(text) == [(NULL, line)]


def test_null_as_a_value_is_left_alone() -> None:
    assert found("UPDATE a SET b = NULL WHERE c IS NULL;") == []
    assert found("SELECT '\nWHERE a = NULL' FROM b;") == []


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "unit", ["'", "--", "/*", "$$", ";", "where a ", "begin ", "add ", "a", '"']
)
def test_repeated_text_takes_linear_time(unit: str) -> None:
    with cpu_at_most(40):
        found(unit * (300_000 // len(unit)))
        found(unit + " " * 300_000)


def test_a_file_of_sql_counts_as_read() -> None:
    read = checked(added("a.sql", "SELECT 1;"))
    assert read.unread is None
    assert read.checks == ("19 rules for SQL",)
