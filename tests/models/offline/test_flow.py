"""Values that are followed from a request to a dangerous use, in one function."""

from __future__ import annotations

import pytest

from reviewbot.errors import ConfigError
from reviewbot.rules.rule import parse_rule
from tests.models.hunks import added, review, review_chunk
from tests.support.timing import cpu_at_most

SORTED = """
def show():
    given = request.args.get("sort")
    CHANGE
    text = "SELECT id FROM t"
    text += f" ORDER BY {column}"
    cursor.execute(text)
"""


def found(path: str, code: str) -> list[tuple[int, str]]:
    return [(item["line"], item["rule"]) for item in review_chunk(added(path, code.strip("\n")))]


def test_a_value_is_followed_to_its_use() -> None:
    assert found("a.py", SORTED.replace("CHANGE", "column = given")) == [
        (5, "python/sql-injection")
    ]


def test_a_value_is_followed_through_variables_and_methods() -> None:
    code = """
def show():
    given = request.args.get("sort", "id")
    column = given.strip().lower()
    text = "SELECT id FROM t"
    text += " ORDER BY " + column
    cursor.execute(text)
"""
    assert found("a.py", code) == [(5, "python/sql-injection")]


@pytest.mark.parametrize(
    ("call", "rule"),
    [("db.query<Row>", "javascript/sql-injection"), ("axios.get<Row>", "javascript/ssrf")],
)
def test_a_value_is_followed_into_an_awaited_call_with_type_arguments(call: str, rule: str) -> None:
    code = f"""
app.get("/rows", async (req, res) => {{
  const given = req.query.text;
  const {{ rows }} = await {call}(given + " where name");
}});
"""
    assert (3, rule) in found("a.ts", code)


@pytest.mark.parametrize(
    "change",
    ['int(given or "1")', "choose(given)", "COLUMNS[given]", 'given == "name"', "len(given) + 1"],
)
def test_what_another_function_a_table_or_a_comparison_makes_of_a_value_is_not_followed(
    change: str,
) -> None:
    assert not found("a.py", SORTED.replace("CHANGE", f"column = {change}"))


@pytest.mark.parametrize(
    "check",
    ["if given not in COLUMNS:", "if not COLUMN.fullmatch(given):", "if not is_column(given):"],
)
def test_a_value_that_a_condition_checks_is_safe(check: str) -> None:
    code = SORTED.replace("CHANGE", f"column = given\n    {check}\n        abort(400)")
    assert not found("a.py", code)


def test_a_later_assignment_replaces_the_value_unless_it_is_in_a_branch() -> None:
    fixed = 'column = given\n    {}column = "fixed"'
    assert not found("a.py", SORTED.replace("CHANGE", fixed.format("")))
    assert found("a.py", SORTED.replace("CHANGE", fixed.format("if flag:\n        ")))


def test_a_variable_of_another_function_is_not_followed() -> None:
    code = """
def one():
    name = request.args["name"]
    return name

def two():
    name = "fixed"
    path = os.path.join(ROOT, name)
    return open(path)
"""
    assert not found("a.py", code)


def test_a_callback_sees_the_variables_of_its_function() -> None:
    code = """
app.get('/x', (req, res) => {
  const name = req.query.name;
  load((rows) => {
    const file = path.join(ROOT, name);
    fs.readFile(file, done);
  });
});
"""
    assert found("a.js", code) == [(4, "javascript/path-traversal")]


def test_the_finding_is_on_the_new_line_of_the_way() -> None:
    old_text = """
 def show():
+    sort = request.args["sort"]
     text = "SELECT id FROM t"
     text += f" ORDER BY {sort}"
     cursor.execute(text)
"""
    assert [item["line"] for item in review("a.py", old_text)] == [2]
    old_use = old_text.replace("+ ", "  ").replace("     text +=", "+    text +=")
    assert [item["line"] for item in review("a.py", old_use)] == [4]
    old_build = old_text.replace("+ ", "  ").replace("     cursor", "+    cursor")
    assert [item["line"] for item in review("a.py", old_build)] == [5]


def test_elements_that_are_appended_to_a_list_are_followed() -> None:
    code = """
def find(params, db)
  parts = []
  parts << "name = '#{params[:name]}'"
  db.execute("SELECT * FROM t WHERE " + parts.join(" AND "))
end
"""
    assert (3, "ruby/sql-injection") in found("a.rb", code)


def test_a_heredoc_is_followed() -> None:
    code = """
def find(city)
  text = <<~SQL
    SELECT * FROM t WHERE city = '#{city}'
  SQL
  connection.execute(text)
end
"""
    assert "ruby/sql-injection" in {rule for _, rule in found("a.rb", code)}


def test_many_uses_and_long_chains_end_soon() -> None:
    chain = "".join(f"    v{n + 1} = v{n} + v{n}\n" for n in range(300))
    uses = "    cursor.execute(v300)\n" * 300
    with cpu_at_most(50):
        assert not found("a.py", f"def f():\n    v0 = 1\n{chain}{uses}")


@pytest.mark.parametrize(
    ("flow", "named"),
    [
        ({"sources": ["request"]}, "flow.sinks"),
        ({"sinks": {"kind": "call"}, "sources": ["nowhere"]}, "flow.sources"),
        ({"sinks": {"kind": "call"}, "surprise": 1}, "flow.surprise"),
    ],
)
def test_a_broken_flow_is_refused_with_the_key_named(flow: object, named: str) -> None:
    rule = {
        "id": "python/x",
        "language": "Python",
        "severity": "warning",
        "message": "A title",
        "note": "What to do.",
        "metadata": {"category": "bug", "confidence": 0.9, "scenario": "When.", "words": ["f("]},
        "flow": flow,
    }
    with pytest.raises(ConfigError) as caught:
        parse_rule(rule, source="python/x.yml")
    assert caught.value.key == named
    custom = rule | {"id": "custom/x", "rule": {"pattern": "f($A)"}}
    with pytest.raises(ConfigError, match="flow: is unknown"):
        parse_rule(custom, source="custom/x.yml")
