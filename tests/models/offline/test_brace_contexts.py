"""Hunks of Go, Java, C, C++, PHP, Ruby and YAML that begin and end in the middle of things."""

from __future__ import annotations

import pytest

from tests.models.hunks import added, review_chunk

MARK = {
    "a.go": ('exec.Command("sh", "-c", "ls "+x)', "go/command-injection"),
    "a.java": ("new Thread(x).run()", "java/thread-run"),
    "a.c": ("gets(x)", "c/unbounded-input"),
    "a.cpp": ("gets(x)", "c/unbounded-input"),
    "a.php": ("eval($_GET['x'])", "php/eval"),
    "a.rb": ("eval(params[:x])", "ruby/eval"),
    "a.yml": ("privileged: true", "yaml/privileged-container"),
}
HUNKS = {
    "a.go": [
        "\t\tMARK\n\t}\n\n\treturn nil\n}\n\nfunc next() error {",
        "\t} else {\n\t\tMARK\n\t}\n}",
        '\tcase "b":\n\t\tMARK\n\tcase "c":',
        '\t\t},\n\t\t{name: "b", run: MARK},\n\t}\n\tfor _, one := range all {',
        '\t\tMARK\n\t})\n\n\tt.Run("next", func(t *testing.T) {',
        "\tif MARK == nil {\n\t\twork(",
        "// The text of a comment goes on\n// here.\nfunc f() {\n\tMARK",
    ],
    "a.java": [
        "        MARK;\n    }\n\n    @Override\n    public void next() {",
        "        } catch (IOException e) {\n            MARK;\n        }",
        "     * The end of a comment.\n     */\n    private void f() {\n        MARK;\n    }\n}",
        "    public A(int a) {\n        MARK;",
        "        });\n        MARK;\n        all.forEach(a -> {",
        "            case 1:\n                MARK;\n                break;",
    ],
    "a.c": [
        "    MARK;\n  }\n\n  return 0;\n}\n\nstatic int next(void)\n{",
        "  } else {\n    MARK;\n  }",
        "  case 3:\n    MARK;\n    break;\n  default:",
        " * The end of a comment.\n */\nint f(void)\n{\n  MARK;",
    ],
    "a.cpp": [
        "    MARK;\n  }\n\n private:\n  int a_;\n};",
        "  });\n  MARK;\n  std::sort(a.begin(), a.end(), [](int b, int c) {",
    ],
    "a.php": [
        "        MARK;\n    }\n\n    public function next(): void\n    {",
        "        } catch (Exception $e) {\n            MARK;\n        }\n    }\n}",
        "            ],\n            'b' => MARK,\n        ];\n    }",
        "<?php\n\nfunction f()\n{\n    MARK;",
        "    /**\n     * A comment.\n     */\n    private function f()\n    {\n"
        "        MARK;\n    }\n\n    /**\n     * A comment whose end is below the hunk",
    ],
    "a.rb": [
        "      MARK\n    end\n  end\n\n  def next",
        "    rescue ArgumentError => e\n      MARK\n    end",
        "    else\n      MARK\n    end\n  end",
        "  all.each do |a|\n    MARK",
        "    when 3\n      MARK\n    else",
        "module A\n  class B\n    def c = 3\n\n    def d\n      MARK",
    ],
    "a.yml": [
        "        image: a\n        securityContext:\n          MARK\n    volumes:\n      - name: b",
        "        image: a\n        MARK\n    volumes:\n  other: 3",
    ],
}
SILENT = {
    "a.go": [
        "// MARK",
        "a := `\nMARK\n`",
        "Call MARK to run\nthe text that it gets and\nread it. So.",
    ],
    "a.java": ["     * Call MARK and\n     * look.\n     */\n    void f() {}", "// MARK"],
    "a.c": ["/* MARK */", " * MARK\n */\nint a;"],
    "a.cpp": ["// MARK"],
    "a.php": ["# MARK", "// MARK", "     * MARK\n     */\n    private $a;"],
    "a.rb": ["# MARK", "a = 'MARK'"],
    "a.yml": ["# MARK", "text: |\n  image: a\n  MARK\n"],
}


def rules(path: str, code: str) -> set[str]:
    found = review_chunk(added(path, code.replace("MARK", MARK[path][0])))
    return {f"{item['rule']}:{item['line']}" for item in found}


@pytest.mark.parametrize(("path", "code"), [(path, code) for path in HUNKS for code in HUNKS[path]])
def test_a_fault_in_a_cut_hunk_is_found_on_its_line(path: str, code: str) -> None:
    line = next(no for no, text in enumerate(code.split("\n"), 1) if "MARK" in text)
    assert f"{MARK[path][1]}:{line}" in rules(path, code)


@pytest.mark.parametrize(
    ("path", "code"), [(path, code) for path in SILENT for code in SILENT[path]]
)
def test_text_that_is_not_code_is_left_alone(path: str, code: str) -> None:
    assert rules(path, code) == set()


def test_a_function_that_the_hunk_cuts_is_not_said_to_leak() -> None:
    code = (
        "int f(void) {\n  FILE *file = fopen(name, mode);\n  while (fgets(line, 10, file)) {\n"
        "    work(line);\n  }\n"
    )
    assert rules("a.c", f"{code}  return 0;\n}}") == {"c/file-not-closed:2"}
    assert rules("a.c", code) == set()


@pytest.mark.parametrize("path", HUNKS)
@pytest.mark.parametrize("text", ["{" * 99, "}" * 99, "end\n" * 99, "do\n" * 99, "case 1:"])
def test_a_hunk_of_brackets_alone_is_read_to_its_end(path: str, text: str) -> None:
    assert rules(path, text) == set()
