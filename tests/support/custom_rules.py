"""A rule of a repository, as files."""

from __future__ import annotations

RULE = """\
id: custom/no-print
language: Python
severity: error
message: Use the logger instead of print
note: "`print($A)` does not reach the log."
metadata:
  category: maintainability
  confidence: 0.9
  scenario: When the service runs, the text is lost.
  words: ["print("]
rule:
  pattern: print($A)
"""
CASES = """\
id: custom/no-print
valid:
  - log.info(x)
invalid:
  - print(x)
"""
PATH = ".reviewbot/rules/no-print.yml"
CASES_PATH = ".reviewbot/rules/no-print-test.yml"
FILES = {PATH: RULE, CASES_PATH: CASES}
