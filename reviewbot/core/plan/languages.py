"""Languages of files, by name alone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.plan.chunk_view import ShownHunk


def _table(text: str) -> dict[str, str]:
    """Return a table by extension or file name; a line has a language, then its names."""
    rows = (line.split() for line in text.strip().splitlines())
    return {name: language for language, *names in rows for name in names}


# Names as ast-grep spells them (https://ast-grep.github.io/reference/languages.html), so that one
# table serves the offline rules, the check of suggestions and the choice of prompt examples.
_PARSED: Final = _table(
    """
    bash sh bash
    c c h
    cpp c++ cc cpp cxx h++ hh hpp hxx
    csharp cs
    css css
    elixir ex exs
    go go
    haskell hs
    html htm html
    java java
    javascript cjs js jsx mjs
    json json
    kotlin kt kts
    lua lua
    nix nix
    php php phtml
    python py pyi pyw
    ruby rake rb
    rust rs
    scala scala
    solidity sol
    swift swift
    tsx tsx
    typescript cts mts ts
    yaml yaml yml
    """
)
_OTHERS: Final = _table(
    """
    ada adb ads
    apex trigger
    arduino ino
    assembly asm s
    astro astro
    awk awk
    batch bat cmd
    clojure clj cljc cljs
    cmake cmake
    cobol cbl cob cobol cpy
    coffeescript coffee
    crystal cr
    cuda cu cuh
    cython pxd pyx
    d d
    dart dart
    delphi dpr pas
    dockerfile containerfile dockerfile
    elm elm
    erb ejs erb
    erlang erl hrl
    fish fish
    fortran f f03 f08 f77 f90 f95 for
    fsharp fs fsx
    gdscript gd
    groovy gradle groovy
    haxe hx
    jsp jsp jspx
    julia jl
    jupyter ipynb
    kornshell ksh
    lisp el lisp
    make mk
    nim nim
    objective-c m mm
    ocaml ml mli
    perl pl pm
    powershell ps1 psm1
    prolog pro
    r r
    racket rkt
    razor cshtml razor
    scheme scm
    sql sql
    starlark bzl
    svelte svelte
    systemverilog sv
    tcl tcl
    terraform hcl tf
    verilog v
    vhdl vhd vhdl
    visual-basic bas vb
    vue vue
    zig zig
    zsh zsh
    """
)
_BY_EXTENSION: Final = {**_PARSED, **_OTHERS}
_BY_NAME: Final = _table(
    """
    cmake cmakelists.txt
    dockerfile containerfile dockerfile
    groovy jenkinsfile
    just justfile
    make gnumakefile makefile
    ruby gemfile rakefile vagrantfile
    starlark build.bazel workspace.bazel
    """
)
_TITLES: Final = {
    "cmake": "CMake",
    "cobol": "COBOL",
    "cpp": "C++",
    "csharp": "C#",
    "cuda": "CUDA",
    "erb": "ERB",
    "fsharp": "F#",
    "gdscript": "GDScript",
    "javascript": "JavaScript",
    "jsp": "JSP",
    "make": "Make",
    "objective-c": "Objective-C",
    "ocaml": "OCaml",
    "php": "PHP",
    "powershell": "PowerShell",
    "sql": "SQL",
    "systemverilog": "SystemVerilog",
    "tsx": "TSX",
    "typescript": "TypeScript",
    "vhdl": "VHDL",
    "visual-basic": "Visual Basic",
    "bash": "shell scripts",
    "dockerfile": "Dockerfiles",
    "yaml": "YAML",
}

PARSED: Final[frozenset[str]] = frozenset(_PARSED.values())
"""Languages that ast-grep has a grammar for."""
LANGUAGES: Final[frozenset[str]] = frozenset({*_BY_EXTENSION.values(), *_BY_NAME.values()})
_NOT_SOURCE: Final = frozenset({"css", "html", "json", "yaml"})


def language_of(path: str) -> str | None:
    """Return the language of ``path`` by its name or extension; None if both are unknown."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    stem, dot, extension = name.rpartition(".")
    if stem == "dockerfile":  # a stage or service follows, as in Dockerfile.dev
        return stem
    return _BY_EXTENSION.get(extension) if dot and stem else None


def is_source(path: str) -> bool:
    """Return whether ``path`` is source code by its name, not prose, data or a style sheet."""
    language = language_of(path)
    return language is not None and language not in _NOT_SOURCE


def begins_with_shebang(hunks: Iterable[ShownHunk]) -> bool:
    """Return whether the first line of the new file is shown and begins with ``#!``."""
    first = (line.text for hunk in hunks for line in hunk.lines if line.new_no == 1)
    return next(first, "").startswith("#!")


def title_of(language: str) -> str:
    """Return the name of a language for people, such as ``COBOL`` or ``shell scripts``."""
    return _TITLES.get(language, language.capitalize())


def languages_of(paths: Iterable[str]) -> Iterator[str]:
    """Yield the language of each path that has one, each language once."""
    yield from dict.fromkeys(filter(None, map(language_of, paths)))
