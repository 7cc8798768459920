"""The folders of the rules, and the languages on which the rules of each run."""

from __future__ import annotations

from typing import Final

CUSTOM: Final = "custom"
"""Folder of the ids of a repository's own rules."""
LANGUAGES: Final = {
    "any": "Any",
    "c": "C",
    "cpp": "Cpp",
    "docker": "Dockerfile",
    "go": "Go",
    "java": "Java",
    "javascript": "JavaScript",
    "jsx": "Tsx",
    "php": "Php",
    "python": "Python",
    "ruby": "Ruby",
    "shell": "Bash",
    "sql": "Sql",
    "workflow": "Yaml",
    "yaml": "Yaml",
}
"""The ``language`` of the rules of each folder, as ast-grep has it."""
FOLDERS: Final = tuple(LANGUAGES)
TEXT_FOLDERS: Final = ("any", "docker", "sql", "workflow")
"""Folders whose rules need no grammar. ast-grep has none for Dockerfiles, SQL and the scripts in
YAML."""
FOLDERS_OF: Final = {
    "bash": ("shell",),
    "c": ("c",),
    "cpp": ("c", "cpp"),
    "dockerfile": ("docker",),
    "go": ("go",),
    "java": ("java",),
    "javascript": ("javascript", "jsx"),
    "php": ("php",),
    "python": ("python",),
    "ruby": ("ruby",),
    "sql": ("sql",),
    "tsx": ("javascript", "jsx"),
    "typescript": ("javascript",),
    "yaml": ("workflow", "yaml"),
}
"""The folders for each language, beside ``any``."""


def languages_of(name: object) -> tuple[str, ...]:
    """Return the languages that rules with this ``language`` run on; empty if there is none.

    The first one is that of the rule's own cases.
    """
    languages = [
        language
        for language, folders in FOLDERS_OF.items()
        if any(LANGUAGES[folder] == name for folder in folders if folder not in TEXT_FOLDERS)
    ]
    return tuple(sorted(languages, key=lambda language: language != str(name).lower()))


def custom_languages() -> tuple[str, ...]:
    """Return the values of ``language`` that a repository's own rules may have."""
    return tuple(sorted(set(filter(languages_of, LANGUAGES.values()))))
