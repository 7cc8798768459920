"""Paths of the files that source code imports. Pure.

The path of an import states where its file is, as far as it belongs to the same repository.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.languages import language_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every repetition is bounded: linear for any text.
_PYTHON: Final = re.compile(
    r"^[ \t]{0,40}(?:from[ \t]{1,8}(\.{0,10})([\w.]{0,200})[ \t]{1,8}import[ \t]{1,8}(\w{0,100})"
    r"|import[ \t]{1,8}([\w.]{1,200}))",
    re.MULTILINE,
)
_JAVASCRIPT: Final = re.compile(
    r"""\b(?:from|import|require)[ \t]{0,8}\(?[ \t]{0,8}["'](\.{1,2}/[^"'\n\0]{1,200})["']"""
)
_SCRIPTS: Final = frozenset({"javascript", "typescript", "tsx"})
_OUTPUTS: Final = {".js": (".ts", ".tsx"), ".jsx": (".tsx",)}
"""Extensions of files that TypeScript imports under the extension of their output."""


def imports_of(path: str, text: str) -> Iterator[str]:
    """Yield the likely paths of the files that a file of Python or JavaScript imports."""
    language = language_of(path)
    if language == "python":
        for dots, module, name, whole in _PYTHON.findall(text):
            imported = _python(path, len(dots), module or whole, name)
            if imported is not None:
                yield imported
    elif language in _SCRIPTS:
        for target in _JAVASCRIPT.findall(text):
            imported = _javascript(path, target)
            if not imported.startswith("../"):
                yield imported


def _python(path: str, dots: int, module: str, name: str) -> str | None:
    folders = path.split("/")[:-1]
    parts = [part for part in module.split(".") if part]
    if dots:
        if dots - 1 > len(folders):
            return None
        base = folders[: len(folders) - dots + 1]
        parts = parts or [name]
    elif parts and parts[0] in folders:
        base = folders[: folders.index(parts[0])]
    else:  # another package: of the standard library, or installed
        return None
    return "/".join([*base, *parts]) + ".py"


def _javascript(path: str, target: str) -> str:
    imported = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    extension, own = posixpath.splitext(imported)[1], posixpath.splitext(path)[1]
    if own in _OUTPUTS.get(extension, ()):
        return imported.removesuffix(extension) + own
    return imported if language_of(imported) in _SCRIPTS else imported + own
