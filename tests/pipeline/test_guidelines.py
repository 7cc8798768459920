"""Guideline files of a commit: which are read, through which links, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reviewbot.code.git_repository import GitRepository, open_repository
from reviewbot.config.settings import load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.pipeline import guidelines
from reviewbot.pipeline.guidelines import (
    DEEPEST_FOLDER,
    LONGEST_FOLDER,
    MOST_BYTES,
    MOST_READS,
    BaseTree,
    read_guidelines,
    reviewed_paths,
    tree_of,
    wants_guidelines,
)
from tests.support.guidelines import AGENTS, CONTRIBUTING, COPILOT_TS, CURSOR_PY, REVIEW
from tests.support.repositories import _alone, git

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.prompt.guidelines import Guidelines

__all__ = ["_alone"]

LINK, FILE, SUBMODULE = "120000", "100644", "160000"
RULE = "- Never nest.\n"


class Tree:
    """A tree in memory that counts what is read. Texts that begin with ``->`` are links."""

    def __init__(self, files: Mapping[str, str | bytes], *, truncated: bool = False) -> None:
        self.read: list[str] = []
        self._contents: dict[str, bytes] = {}
        entries: dict[str, tuple[str, str]] = {}
        for path, text in files.items():
            data = text if isinstance(text, bytes) else text.removeprefix("->").encode()
            name = f"blob of {data[:40]!r} {len(data)}"
            self._contents[name] = data
            mode = LINK if isinstance(text, str) and text.startswith("->") else FILE
            entries[path] = (mode, name)
        self.base = BaseTree("c0ffee" + "0" * 34, entries, self._blob, truncated)

    async def _blob(self, name: str) -> bytes:
        self.read.append(name)
        return self._contents[name]


async def rules_of(
    files: Mapping[str, str | bytes], *changed: str, truncated: bool = False
) -> Guidelines:
    tree = Tree(files, truncated=truncated)
    return await read_guidelines(tree.base, changed or ("app.py",))


def paths(found: Guidelines) -> list[str]:
    return [file.path for file in found.files]


async def test_every_folder_up_to_the_root_is_looked_at() -> None:
    files = {
        "AGENTS.md": "- Never root.",
        "shop/AGENTS.md": "- Never shop.",
        "shop/api/CLAUDE.md": "- Never api.",
        "shop/api/BUGBOT.md": "Look at rates.",
        "web/AGENTS.md": "- Never web.",
        "shop/api/v2/AGENTS.md": "- Never v2.",
        "agents.md": "- Never lower case.",
    }
    found = await rules_of(files, "shop/api/app.py")
    assert paths(found) == [
        "shop/api/BUGBOT.md",
        "shop/api/CLAUDE.md",
        "shop/AGENTS.md",
        "AGENTS.md",
    ]
    assert found.commit == "c0ffee" + "0" * 34
    both = await rules_of(files, "shop/a.py", "web/b.py")
    assert paths(both) == ["shop/AGENTS.md", "web/AGENTS.md", "AGENTS.md"]


async def test_files_of_every_tool_are_known() -> None:
    files = {
        "REVIEW.md": REVIEW,
        ".cursor/BUGBOT.md": "Look at rates.",
        "AGENTS.md": AGENTS,
        ".github/copilot-instructions.md": "- Never guess.",
        ".github/instructions/deep/web.instructions.md": COPILOT_TS,
        ".github/instructions/README.md": RULE,
        ".cursor/rules/python.mdc": CURSOR_PY,
        ".cursor/rules/notes.md": RULE,
        "sub/.github/copilot-instructions.md": "- Never here.",
        "CONTRIBUTING.md": CONTRIBUTING,
    }
    found = await rules_of(files, "sub/app.py")
    assert set(paths(found)) == {
        "REVIEW.md",
        ".cursor/BUGBOT.md",
        "AGENTS.md",
        ".github/copilot-instructions.md",
        ".cursor/rules/python.mdc",
    }
    web = await rules_of(files, "web/a.ts")
    assert ".github/instructions/deep/web.instructions.md" in paths(web)


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"CLAUDE.md": "->AGENTS.md", "AGENTS.md": RULE}, "AGENTS.md"),
        ({"CLAUDE.md": "->./docs/../docs/rules.md", "docs/rules.md": RULE}, "docs/rules.md"),
        ({"CLAUDE.md": "@docs/rules.md\n", "docs/rules.md": RULE}, "docs/rules.md"),
        ({"CLAUDE.md": "@./a.md", "a.md": "@b/c.md", "b/c.md": RULE}, "b/c.md"),
        ({"CLAUDE.md": "@docs/a.md", "docs/a.md": "->b.md", "docs/b.md": RULE}, "docs/b.md"),
        ({"CLAUDE.md": "->1", "1": "->2", "2": "->3", "3": "->4", "4": "->5", "5": RULE}, "5"),
    ],
)
async def test_links_and_imports_lead_to_the_file_that_has_the_text(
    files: dict[str, str], path: str
) -> None:
    found = await rules_of(files)
    assert paths(found) == [path]
    assert found.text.endswith("Never nest.")
    assert found.problems == ()


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"CLAUDE.md": "->/etc/passwd"}, "leads out of the repository"),
        ({"CLAUDE.md": "->../secret.md"}, "leads out of the repository"),
        ({"CLAUDE.md": "->a/../../secret.md"}, "leads out of the repository"),
        ({"CLAUDE.md": "@~/.claude/rules.md"}, "leads out of the repository"),
        ({"CLAUDE.md": "@../rules.md"}, "leads out of the repository"),
        ({"CLAUDE.md": "->missing.md"}, "leads to no file of the repository"),
        ({"CLAUDE.md": "->docs", "docs/a.md": RULE}, "leads to no file of the repository"),
        ({"CLAUDE.md": "->."}, "leads to no file of the repository"),
        ({"CLAUDE.md": "->CLAUDE.md"}, "is more than 5 links in a row"),
        ({"CLAUDE.md": "@CLAUDE.md"}, "imports more than 2 files in a row"),
        (
            {"CLAUDE.md": "@a", "a": "@b", "b": "@c", "c": RULE},
            "imports more than 2 files in a row",
        ),
        (
            {"CLAUDE.md": "->1", **{f"{n}": f"->{n + 1}" for n in range(1, 6)}, "6": RULE},
            "is more than 5 links in a row",
        ),
        ({"CLAUDE.md": b"- Never \xff."}, "is not UTF-8"),
        ({"CLAUDE.md": "->\0"}, "leads to no file of the repository"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_its_reason(
    files: dict[str, str | bytes], problem: str
) -> None:
    found = await rules_of(files)
    assert found.problems == (f"CLAUDE.md {problem}, so its rules were not used.",)
    assert found.text == ""
    assert (await rules_of(files | {"AGENTS.md": RULE})).text == "AGENTS.md \nNever nest."


async def test_a_submodule_in_place_of_a_file_is_no_file() -> None:
    tree = Tree({"a": RULE})
    entries = {**tree.base.entries, "AGENTS.md": (SUBMODULE, "1" * 40)}
    found = await read_guidelines(BaseTree("a" * 40, entries, tree.base.read), ["app.py"])
    assert found.problems == (
        "AGENTS.md leads to no file of the repository, so its rules were not used.",
    )
    assert tree.read == []


async def test_a_long_file_that_begins_with_an_import_is_a_file_of_its_own() -> None:
    files = {"CLAUDE.md": f"@AGENTS.md\n\n{RULE}", "AGENTS.md": "- Never here."}
    assert paths(await rules_of(files)) == ["AGENTS.md", "CLAUDE.md"]


async def test_a_blob_is_read_once_under_all_its_names() -> None:
    tree = Tree({"AGENTS.md": RULE, "CLAUDE.md": "->AGENTS.md", "REVIEW.md": "->AGENTS.md"})
    found = await read_guidelines(tree.base, ["a.py"])
    assert len(tree.read) == 2
    assert [(file.path, len(file.rules)) for file in found.files] == [("AGENTS.md", 1)]


async def test_few_blobs_are_read_those_for_the_most_files_first() -> None:
    folders = [f"f{number:02}" for number in range(20)]
    files = {f"{folder}/AGENTS.md": f"- Never {folder}." for folder in folders}
    tree = Tree(files | {"AGENTS.md": RULE})
    changed = [f"{folder}/a.py" for folder in folders] + ["f19/b.py"]
    found = await read_guidelines(tree.base, changed)
    assert len(tree.read) == MOST_READS
    assert set(paths(found)) >= {"AGENTS.md", "f19/AGENTS.md"}
    assert found.problems == (
        "Only 10 files are read for rules: 11 more guideline files left out.",
    )


async def test_folders_beyond_the_depth_limit_are_not_searched() -> None:
    last, beyond = "a/" * DEEPEST_FOLDER, "a/" * (DEEPEST_FOLDER + 1)
    files = {f"{folder}AGENTS.md": f"- Never {len(folder)}." for folder in ("", last, beyond)}
    found = await rules_of(files, f"{beyond}app.py")
    assert paths(found) == [f"{last}AGENTS.md", "AGENTS.md"]


async def test_folders_beyond_the_length_limit_are_not_searched() -> None:
    last = f"{'a' * (LONGEST_FOLDER - 3)}/b/"
    folders = ("", last.removesuffix("b/"), last, f"{last}c/", f"{'a' * LONGEST_FOLDER}/")
    files = {f"{folder}AGENTS.md": f"- Never {len(folder)}." for folder in folders}
    found = await rules_of(files, f"{last}c/app.py", f"{folders[-1]}app.py")
    assert {file.path for file in found.files} == {f"{one}AGENTS.md" for one in folders[:3]}


@pytest.mark.parametrize("step", ["_candidates", "applicable", "select"])
async def test_slow_steps_leave_the_event_loop_free(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = getattr(guidelines, step)
    threads: list[int] = []

    def recorded(*arguments: object, **named: object) -> object:
        threads.append(threading.get_ident())
        return run(*arguments, **named)

    monkeypatch.setattr(guidelines, step, recorded)
    assert paths(await rules_of({".cursor/rules/python.mdc": CURSOR_PY}))
    assert threads
    assert threading.get_ident() not in threads


async def test_contributing_is_read_only_without_another_file() -> None:
    files = {"docs/CONTRIBUTING.md": CONTRIBUTING, ".github/CONTRIBUTING.md": RULE}
    assert paths(await rules_of(files)) == [".github/CONTRIBUTING.md"]
    found = await rules_of({"docs/CONTRIBUTING.md": CONTRIBUTING})
    assert found.text == "docs/CONTRIBUTING.md \n# Code style\nUse four spaces."
    assert paths(await rules_of(files | {"AGENTS.md": "No rules."})) == ["AGENTS.md"]
    bad = await rules_of({"CONTRIBUTING.md": b"\xff"})
    assert bad.problems == ("CONTRIBUTING.md is not UTF-8, so its rules were not used.",)


async def test_nothing_is_read_for_a_change_without_reviewed_files() -> None:
    tree = Tree({"AGENTS.md": RULE, ".cursor/rules/a.mdc": RULE, "CONTRIBUTING.md": CONTRIBUTING})
    assert (await read_guidelines(tree.base, [])).files == ()
    assert tree.read == []


async def test_a_list_that_lacks_files_is_reported() -> None:
    found = await rules_of({"AGENTS.md": RULE}, truncated=True)
    assert found.text == "AGENTS.md \nNever nest."
    assert found.problems == (
        "GitHub does not list all files of this repository, so guideline files may be missing.",
    )


async def test_a_strange_name_cannot_break_the_line_of_a_problem() -> None:
    found = await rules_of({"a\nb/AGENTS.md": b"\xff"}, "a\nb/c.py")
    assert found.problems == (r"a\x0ab/AGENTS.md is not UTF-8, so its rules were not used.",)


# Settings


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"model": "claude-haiku-5-5"}, True),
        ({"model": "claude-haiku-5-5", "guidelines": False}, False),
        ({"model": "offline"}, False),
        ({"model": "offline", "fallback_models": ["claude-haiku-5-5"]}, True),
    ],
)
def test_only_a_review_by_a_model_wants_guidelines(flags: dict[str, object], wanted: bool) -> None:
    assert wants_guidelines(load_settings(flags=flags, env={})) is wanted


def test_skipped_files_bring_no_guidelines_of_their_own() -> None:
    diff = b"".join(
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n".encode()
        for path in ("a.py", "vendor/lib/b.py", "docs/c.py")
    )
    settings = load_settings(flags={"exclude": ["docs/"]}, env={})
    assert reviewed_paths(parse_diff(diff), settings, "vendor/** linguist-vendored") == ("a.py",)


# Git


def of_repository(repository: GitRepository, *changed: str) -> Guidelines:
    return asyncio.run(read_guidelines(tree_of(repository), changed))


def test_files_of_a_repository_are_those_of_the_base_commit() -> None:
    git("init")
    Path("AGENTS.md").write_text("- Never root.\n")
    Path("CLAUDE.md").symlink_to("AGENTS.md")
    Path("sub").mkdir()
    Path("sub/AGENTS.md").write_text(f"- Never sub.\n\n{'x' * MOST_BYTES}")
    git("add", ".")
    git("commit", "-m", "x")
    Path("AGENTS.md").write_text("- Never this.\n")
    Path("sub/CLAUDE.md").write_text("- Never that.\n")
    repository = open_repository(Path.cwd())
    found = of_repository(repository, "sub/app.py")
    assert found.text == "AGENTS.md \nNever root."
    assert found.commit == repository.start
    assert found.problems == ("sub/AGENTS.md is larger than 64 KiB, so its rules were not used.",)


def test_a_repository_without_a_commit_has_no_guidelines() -> None:
    git("init")
    Path("AGENTS.md").write_text(RULE)
    git("add", ".")
    found = of_repository(open_repository(Path.cwd()), "a.py")
    assert (found.files, found.problems) == ((), ())


def partial_clone(lacks: str) -> GitRepository:
    """A clone of two commits without the objects of the first, in a review of the second."""
    git("init", "origin")
    for text in ("- Never old.\n", "- Never new.\n"):
        Path("origin/AGENTS.md").write_text(text)
        git("-C", "origin", "add", ".")
        git("-C", "origin", "commit", "-m", "x")
    git("-C", "origin", "config", "uploadpack.allowFilter", "true")
    git("clone", "-q", f"--filter={lacks}", Path("origin").resolve().as_uri(), "clone")
    return open_repository(Path("clone"), commit="HEAD")


def test_a_blob_that_a_partial_clone_lacks_is_named() -> None:
    found = of_repository(partial_clone("blob:none"), "a.py")
    assert found.problems == (
        "AGENTS.md is missing from this partial clone, so its rules were not used.",
    )


def test_a_list_that_a_partial_clone_lacks_is_a_problem() -> None:
    found = of_repository(partial_clone("tree:0"), "a.py")
    assert found.files == ()
    assert found.problems == (
        "git cannot list the files of the base commit in this clone,"
        " so no guideline files were read.",
    )
