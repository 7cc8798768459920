"""Hunks that begin and end in the middle of things."""

from __future__ import annotations

import pytest

from tests.models.hunks import added, review_chunk

FOUND = {
    "a.py": [
        "        eval(x)\n    b = 2\nc = 3",
        "    eval(x)\nexcept ValueError:\n    pass",
        "        a()\n    except KeyError:\n        eval(x)\n    else:\n        b()",
        "    a()\nelif b:\n    eval(x)\nelse:\n    c()",
        '        "model": model,\n    },\n)\neval(x)',
        "    ],\n    [1, 2],\n) == eval(x)",
        "eval(x)\nresult = call(\n    a,\n    b=[",
        "@decorated\ndef f(self):\n    eval(x)\n\n@other",
        'It ends here.\n    """\n    eval(x)\n    return 1',
        'eval(x)\n\ndef f():\n    """Begins here',
        "    ), 'text'\n    if eval(x):\n        a()\n    elif b:\n        c()\nelse:\n    d()",
        "class A:\n    x = 1\n\n    def f(self):\n        eval(x)",
    ],
    "a.ts": [
        "  eval(x);\n}\n\nfunction f() {",
        "  } else {\n    eval(x);\n  }",
        "  a();\n} catch (error) {\n  eval(x);\n}",
        "    },\n    b: eval(x),\n  },\n];",
        "  a();\n});\n\nit('b', () => {\n  eval(x);\n});\n});",
        "  private b(c: string): void {\n    eval(x);\n  }\n\n  get d(): number {",
        "  }\n\n  async b(): Promise<void> {\n    eval(x);\n  }\n}",
        "   * The end.\n   */\n  b() {\n    eval(x);\n  }",
        "  type: 'a',\n  value: eval(x),\n} as Payload;\nnext();",
        "eval(x);\nconst a = {\n  b: [",
        "while (a) {\n  eval(x);",
        "  a();\n} while (b);\neval(x);",
    ],
    "a.tsx": [
        "  const a = eval(x);\n  return (\n    <b className={a}>\n      text\n    </b>\n  );\n}",
        "    return <b>{eval(x)}</b>;\n  }, []);\n\n  return null;\n}",
    ],
}
SILENT = {
    "a.py": [
        "Call eval(x) to run the\ntext of an expression, then\nread what it gives back.\nEnd.",
        "# eval(x)",
        "a = 'eval(x)'",
        '    """\n    eval(x)\n    """',
        "eval(x",
    ],
    "a.ts": [
        " * Call eval(x) and then\n * look at what it gives\n * back to you",
        "// eval(x)",
        "/* eval(x) */",
        "const a = `eval(x)`;",
        "eval(x",
        "   * eval(x) is bad.\n   */\n  b() {}",
    ],
}


def rules(path: str, code: str) -> set[str]:
    found = review_chunk(added(path, code))
    return {f"{item['rule']}:{item['quote'].strip()}" for item in found}


@pytest.mark.parametrize(("path", "code"), [(path, code) for path in FOUND for code in FOUND[path]])
def test_what_a_cut_hunk_shows_is_found_on_its_line(path: str, code: str) -> None:
    line = next(text.strip() for text in code.split("\n") if "eval(x)" in text)
    assert f"{'python' if path == 'a.py' else 'javascript'}/eval:{line}" in rules(path, code)


@pytest.mark.parametrize(
    ("path", "code"), [(path, code) for path in SILENT for code in SILENT[path]]
)
def test_what_is_no_code_or_not_understood_is_left_alone(path: str, code: str) -> None:
    assert rules(path, code) == set()


def test_lines_put_in_front_shift_nothing() -> None:
    code = "        a()\n    except KeyError:\n        b()\n    finally:\n        return c"
    assert rules("a.py", code) == {"python/return-in-finally:return c"}
