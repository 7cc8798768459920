"""Languages of files, by name alone. Pure."""

from __future__ import annotations

from typing import Final

# Names as ast-grep spells them (https://ast-grep.github.io/reference/languages.html), so that one
# table serves the offline rules, the check of suggestions and the choice of prompt examples.
_BY_EXTENSION: Final[dict[str, str]] = {
    "bash": "bash",
    "c": "c",
    "cc": "cpp",
    "cjs": "javascript",
    "cpp": "cpp",
    "cs": "csharp",
    "css": "css",
    "cts": "typescript",
    "cxx": "cpp",
    "ex": "elixir",
    "exs": "elixir",
    "go": "go",
    "h": "c",
    "hh": "cpp",
    "hpp": "cpp",
    "hs": "haskell",
    "htm": "html",
    "html": "html",
    "java": "java",
    "js": "javascript",
    "json": "json",
    "jsx": "javascript",
    "kt": "kotlin",
    "kts": "kotlin",
    "lua": "lua",
    "mjs": "javascript",
    "mts": "typescript",
    "nix": "nix",
    "php": "php",
    "py": "python",
    "pyi": "python",
    "pyw": "python",
    "rb": "ruby",
    "rs": "rust",
    "scala": "scala",
    "sh": "bash",
    "sol": "solidity",
    "sql": "sql",
    "swift": "swift",
    "ts": "typescript",
    "tsx": "tsx",
    "yaml": "yaml",
    "yml": "yaml",
}

PARSED: Final[frozenset[str]] = frozenset(_BY_EXTENSION.values()) - {"sql"}
"""Languages that ast-grep has a grammar for."""


def language_of(path: str) -> str | None:
    """Return the language of ``path`` by its extension; None if the extension is unknown."""
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(extension.lower()) if dot and stem else None
