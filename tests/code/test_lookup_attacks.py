"""Attacks on the look-ups of a model, which planted text in a pull request may direct."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.at_commit import FILE_BYTES, FilesWith
from reviewbot.code.given_files import GivenFiles
from reviewbot.code.lookup_files import LookupFiles
from reviewbot.code.lookup_input import TEXT_CHARS
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.policy import Policy, path_patterns
from reviewbot.core.prompt.lookup_tools import MAX_RESULT_BYTES, LookupCall
from tests.support.lookups import Desk, code_of, commit, files_of, git, of_diff, root, write
from tests.support.planted_secrets import BEGIN, BODY, END

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["root"]

TOKEN = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5"
OUTSIDE = "outside of the repository"

FORBIDDEN_PATHS = [
    "/etc/passwd",
    "//etc/passwd",
    "../outside.txt",
    "lib/../../outside.txt",
    "lib/../lib/tax.py",
    "./../outside.txt",
    "././../outside.txt",
    "..",
    ".",
    "lib//tax.py",
    "lib/./tax.py",
    "lib/tax.py/",
    "lib/tax.py/.",
    "file:///etc/passwd",
    "https://example.org/a.py",
    "lib\\tax.py",
    "..\\outside.txt",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "c:lib/tax.py",
    "\\\\server\\share",
    ".git/config",
    ".GIT/config",
    "lib/.git/config",
    ".git",
    "lib/tax.py\0",
    "lib/tax.py\0.txt",
    "lib/tax.py\n",
    "lib\n/tax.py",
    "lib/tax.py\r",
    "lib/tax.py\x1b[2J",
    "lib/\u202etax.py",
    "lib/\u200btax.py",
    "\ud800",
    "a" * 5_000,
    "a/" * 3_000 + "b",
    "",
]
ABSENT_PATHS = [
    "LIB/tax.py",
    "lib/TAX.PY",
    "lib/tax.py ",
    " lib/tax.py",
    "~/.ssh/id_rsa",
    "$HOME/.bashrc",
    "lib/*.py",
    "lib/ta?.py",
    "lib/[t]ax.py",
    ":(glob)**/*.py",
    ":(top)lib/tax.py",
    ":/lib/tax.py",
    ":!lib",
    "HEAD:lib/tax.py",
    "lib/tax.py:1",
    "-h",
    "--help",
    "--output=x",
    "/".join(["deep"] * 200),
    "GIT~1/config",
    "%2e%2e/outside.txt",
    "lib%2ftax.py",
]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that no test changes, beside a file outside of it."""
    folder = tmp_path_factory.mktemp("reviewed") / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, {"lib/tax.py": "def of(due):\n    return due\n", "use.py": "of(1)\n"})
    (folder.parent / "outside.txt").write_text(OUTSIDE)
    commit(folder, {"use.py": "of(2)\n"})
    return folder


@pytest.fixture
def desk(reviewed: Path) -> Desk:
    return Desk(files_of(reviewed, span="HEAD~1..HEAD"))


@pytest.mark.parametrize("path", FORBIDDEN_PATHS)
async def test_a_path_that_is_none_in_the_repository_is_refused_by_every_tool(
    desk: Desk, path: str
) -> None:
    results = [await desk.read(path), await desk.read(path, base=True)]
    if path not in ("", ".", "lib/tax.py/"):
        results.append(await desk.search("due", path=path))
    for result in results:
        assert result.failed, result.text
        assert "`path`" in result.text or ".git" in result.text
        assert len(result.text) < 300
        assert result.activity.isprintable()
        result.activity.encode()


@pytest.mark.parametrize("path", ABSENT_PATHS)
async def test_a_path_means_itself_and_nothing_else(desk: Desk, path: str) -> None:
    for result in (
        await desk.read(path),
        await desk.read(path, base=True),
        await desk.search("due", path=path),
    ):
        assert result.failed, result.text
        assert "no such file" in result.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("link.py", "lib/tax.py"),
        ("link.py", "../outside.txt"),
        ("link.py", "/etc/passwd"),
        ("link.py", ".git/config"),
        ("link.py", "link.py"),
        ("folder", "lib"),
        ("folder", ".."),
        ("folder", "/etc"),
    ],
)
async def test_a_link_is_not_followed(root: Path, link: str, target: str) -> None:
    (root.parent / "outside.txt").write_text(OUTSIDE)
    commit(root, {"lib/tax.py": "due = 1\n", "other.py": ""})
    (root / link).symlink_to(target)
    commit(root, {})
    commit(root, {"other.py": "x = 1\n"})
    committed = Desk(files_of(root, span="HEAD~1..HEAD"))
    added = Desk(files_of(root, span="HEAD~2..HEAD"))
    for desk in (committed, added):
        for result in (
            await desk.read(link),
            await desk.read(f"{link}/tax.py"),
            await desk.read(f"{link}/outside.txt"),
            await desk.read(f"{link}/passwd"),
            await desk.search("due", path=link),
        ):
            assert result.failed, result.text
            assert OUTSIDE not in result.text
        everywhere = await desk.search("outside")
        assert not everywhere.failed
        assert code_of(everywhere) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
async def test_a_link_of_the_working_tree_is_not_followed(root: Path) -> None:
    (root.parent / "outside.txt").write_text("due = 'outside'\n")
    (root.parent / "folder").mkdir()
    (root.parent / "folder/tax.py").write_text("due = 'outside'\n")
    commit(root, {"lib/tax.py": "due = 1\n", "use.py": "due = 2\n"})
    (root / "use.py").unlink()
    (root / "use.py").symlink_to("../outside.txt")
    (root / "lib/tax.py").unlink()
    (root / "lib").rmdir()
    (root / "lib").symlink_to("../folder")
    desk = Desk(files_of(root))
    for path in ("use.py", "lib/tax.py", "lib"):
        assert (await desk.read(path)).failed
    assert "outside" not in (await desk.search("due")).text.replace("outside.txt", "")


async def test_a_submodule_is_not_entered(root: Path) -> None:
    commit(root, {"a.py": "x = 1\n"})
    head = git(root, "rev-parse", "HEAD").strip()
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    git(root, "commit", "-q", "-m", "module")
    write(root, {"module/secret.py": "due = 1\n", "a.py": "x = 2\n"})
    git(root, "commit", "-q", "-m", "x", "a.py")
    desk = Desk(files_of(root, span="HEAD~1..HEAD"))
    for path in ("module", "module/secret.py", "module/a.py"):
        assert (await desk.read(path)).failed
        assert (await desk.search("due", path=path)).failed
    assert code_of(await desk.search("due")) == []


@pytest.mark.parametrize("ignored", [True, False])
async def test_ignored_and_untracked_files_do_not_exist(root: Path, ignored: bool) -> None:
    commit(root, {"a.py": "x = 1\n", ".gitignore": ".env\n" if ignored else ""})
    write(root, {".env": "due = 'untracked'\n", "a.py": "x = 2\n"})
    for desk in (Desk(files_of(root)), Desk(files_of(root, staged=True))):
        assert (await desk.read(".env")).failed
        assert (await desk.search("due", path=".env")).failed
        assert code_of(await desk.search("due")) == []


async def test_the_working_tree_does_not_replace_the_reviewed_commit(root: Path) -> None:
    commit(root, {"a.py": "due = 1\n", "b.py": "due = 2\n"})
    commit(root, {"a.py": "due = 3\n"})
    write(root, {"a.py": "planted = 1\n", "b.py": "planted = 2\n"})
    git(root, "add", "b.py")
    desk = Desk(files_of(root, span="HEAD~1..HEAD"))
    assert code_of(await desk.read("b.py")) == ["R1 |due = 2"]
    assert code_of(await desk.search("planted")) == []
    assert len(code_of(await desk.search("due"))) == 2


EXCLUDED = ["private/", "*.key", "!private/open.py"]


@pytest.mark.parametrize("path", ["private/a.py", "lib/x.key", "./private/a.py"])
async def test_an_excluded_file_is_withheld_from_every_tool(root: Path, path: str) -> None:
    files = {"private/a.py": "due = 1\n", "lib/x.key": "due\n", "b.py": "due = 2\n"}
    commit(root, files)
    commit(root, files | {"private/a.py": "due = 3\n", "lib/x.key": "due 2\n"})
    desk = Desk(files_of(root, exclude=EXCLUDED, span="HEAD~1..HEAD"))
    for result in (
        await desk.read(path),
        await desk.read(path, base=True),
        await desk.search("due", path=path),
    ):
        assert result.failed
        assert "excludes" in result.text
    assert code_of(await desk.search("due")) == ["R1 |due = 2"]


async def test_a_file_that_was_excluded_under_its_old_path_has_no_old_version(root: Path) -> None:
    commit(root, {"private/a.py": "due = 1\nx = 2\ny = 3\n"})
    git(root, "mv", "private/a.py", "a.py")
    commit(root, {"a.py": "due = 1\nx = 2\ny = 3\nz = 4\n"})
    desk = Desk(files_of(root, exclude=EXCLUDED, span="HEAD~1..HEAD"))
    assert code_of(await desk.read("a.py", 1, 1)) == ["R1 |due = 1"]
    for path in ("a.py", "private/a.py"):
        assert "excludes" in (await desk.read(path, base=True)).text


async def test_only_the_configuration_withholds_a_file(root: Path) -> None:
    files = {
        "vendor/lib.py": "due = 1\n",
        "node_modules/x/index.d.ts": "due = 2\n",
        "api_pb2.py": "# Generated by the protocol buffer compiler.  DO NOT EDIT!\ndue = 3\n",
        "package-lock.json": '{"due": 4}\n',
    }
    commit(root, files)
    desk = Desk(files_of(root, exclude=EXCLUDED))
    for path in files:
        assert code_of(await desk.read(path))
    assert len(code_of(await desk.search("due"))) == 4


KEY_FILE = "\n".join(["import os", 'KEY = """', BEGIN, *BODY, END, '"""', "x = 1", ""])


@pytest.mark.parametrize("first", range(1, 10))
async def test_no_slice_of_a_private_key_is_read(root: Path, first: int) -> None:
    commit(root, {"keys.py": KEY_FILE})
    desk = Desk(files_of(root))
    for last in range(first, 12):
        text = (await desk.read("keys.py", first, last)).text
        assert [line for line in BODY if line in text or line[:20] in text] == []


@pytest.mark.parametrize("length", [4, 6, 10, 20, len(TOKEN)])
async def test_a_search_for_a_part_of_a_secret_is_like_one_for_a_wrong_guess(
    root: Path, length: int
) -> None:
    commit(root, {"a.py": f'token = "{TOKEN}"\n', "keys.py": KEY_FILE})
    desk = Desk(files_of(root))
    for secret in (TOKEN, BODY[1]):
        for text in (secret[:length], secret[-length:]):
            right, other = await desk.search(text), await desk.search(f"{text[:-1]}Q")
            assert right.failed is other.failed is False
            assert code_of(right) == code_of(other) == []
            assert right.text.split("\n")[1:] == other.text.split("\n")[1:]
            assert ": 0 lines in 0 files" in right.text


MANY_SECRETS = "".join(f"password_{number} = 'Xy{number:05}kQ9zR2wT7'\n" for number in range(2_500))
UNREADABLE = {
    "large": f'token = "{TOKEN}"\n' + "x = 1\n" * (FILE_BYTES // 6),
    "binary": f'token = "{TOKEN}"\n\0',
    "withheld": f'token = "{TOKEN}"\n' + MANY_SECRETS,
}


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("changed", [False, True])
async def test_a_search_does_not_say_whether_an_unreadable_file_contains_a_text(
    root: Path, kind: str, local: bool, changed: bool
) -> None:
    files = {"a.py": UNREADABLE[kind], "b.py": "x = 1\n"}
    commit(root, {"a.py": "x = 1\n", "b.py": ""} if changed else {"a.py": files["a.py"]})
    if local:
        write(root, files)
    else:
        commit(root, files)
    desk = Desk(files_of(root, span=None if local else "HEAD~1..HEAD"))
    for path in (None, "a.py"):
        right = await desk.search(TOKEN[:8], path=path)
        wrong = await desk.search(TOKEN[:7] + "Q", path=path)
        assert right.failed is wrong.failed
        assert right.text.replace(TOKEN[:8], "") == wrong.text.replace(TOKEN[:7] + "Q", "")


async def test_a_secret_beside_a_match_is_redacted(root: Path) -> None:
    commit(root, {"a.py": f'token = "{TOKEN}"\n'})
    desk = Desk(files_of(root))
    for result in (await desk.search("token"), await desk.read("a.py")):
        assert TOKEN not in result.text
        assert TOKEN[4:20] not in result.text
    assert code_of(await desk.search("token =")) == ['R1 |token = "[REDACTED:secret]"']


async def test_a_secret_of_a_long_line_is_redacted_before_the_line_is_cut(root: Path) -> None:
    line = f"{'x' * 240}{' '}{TOKEN} {'y' * 5_000} needle"
    commit(root, {"a.js": f"{line}\n{'z' * 90}{TOKEN}{'z' * 400} needle {TOKEN}\n"})
    desk = Desk(files_of(root))
    for result in (await desk.read("a.js"), await desk.search("needle"), await desk.search("xxx")):
        assert TOKEN[:12] not in result.text
        assert TOKEN[-12:] not in result.text


async def test_a_secret_of_the_old_version_is_redacted(root: Path) -> None:
    commit(root, {"a.py": f'token = "{TOKEN}"\nx = 1\n'})
    commit(root, {"a.py": "x = 1\n"})
    result = await Desk(files_of(root, span="HEAD~1..HEAD")).read("a.py", base=True)
    assert code_of(result)[0] == 'L1-|token = "[REDACTED:secret]"'


async def test_a_path_with_a_secret_is_withheld_and_not_confirmed(root: Path) -> None:
    commit(root, {f"{TOKEN}.py": "due = 1\n", "b.py": "x = 1\n"})
    desk = Desk(files_of(root))
    right, wrong = await desk.read(f"{TOKEN}.py"), await desk.read(f"{TOKEN[::-1]}.py")
    assert right.failed
    assert wrong.failed
    assert TOKEN not in right.text + right.activity
    assert code_of(await desk.search("due")) == []


async def test_an_activity_never_shows_a_secret_or_moves_the_cursor(desk: Desk) -> None:
    for call in (
        LookupCall("search_code", {"text": TOKEN}),
        LookupCall("search_code", {"text": "of", "path": f"{TOKEN}/x"}),
        LookupCall("search_code", {"text": "of", "path": f"a\x1b[2J{TOKEN}"}),
        LookupCall("read_code", {"path": "\u202e" + "x" * 9_000, "first": 1, "last": 2}),
    ):
        result = await desk.answer(call)
        assert TOKEN not in result.activity
        assert result.activity.isprintable()
        assert len(result.activity) < 300


OPTIONS = [
    "--open-files-in-pager=touch ran",
    "-Otouch",
    "--exec=touch",
    "-f/etc/passwd",
    "--no-index",
    "-e",
    "--",
    "--or",
    "-ezzz",
    "--output=ran",
    "HEAD",
    "--ext-grep",
]


@pytest.mark.parametrize("text", OPTIONS)
async def test_no_text_is_an_option_of_git(root: Path, text: str) -> None:
    commit(root, {"a.py": f"# {text}\nother\n"})
    result = await Desk(files_of(root)).search(text)
    assert code_of(result) == [f"R1 |# {text}"]
    assert not (root / "ran").exists()


EXPRESSIONS = [
    ".*",
    "ot.er",
    "[a-z]+",
    "^other",
    "other$",
    "(x+x+)+y",
    "\\bother\\b",
    "oth\\|er",
    "other|nothing",
    "(?i)OTHER",
    "OTHER",
    "oth*",
    "$(touch ran)",
    "`touch ran`",
    "; touch ran",
    "%s",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
async def test_no_text_is_an_expression_or_a_command(root: Path, text: str) -> None:
    commit(root, {"a.py": "other\nanother\n"})
    desk = Desk(files_of(root))
    assert code_of(await desk.search(text)) == []
    assert not (root / "ran").exists()


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("read_code", {}),
    ("read_code", {"path": "use.py"}),
    ("read_code", {"path": "use.py", "first": 1}),
    ("read_code", {"path": "use.py", "first": 0, "last": 1}),
    ("read_code", {"path": "use.py", "first": -1, "last": 1}),
    ("read_code", {"path": "use.py", "first": 2, "last": 1}),
    ("read_code", {"path": "use.py", "first": "1", "last": 2}),
    ("read_code", {"path": "use.py", "first": 1.5, "last": 2}),
    ("read_code", {"path": "use.py", "first": True, "last": True}),
    ("read_code", {"path": "use.py", "first": None, "last": None}),
    ("read_code", {"path": "use.py", "first": 1, "last": 10**30}),
    ("read_code", {"path": "use.py", "first": 999, "last": 1_000}),
    ("read_code", {"path": ["use.py"], "first": 1, "last": 1}),
    ("read_code", {"path": None, "first": 1, "last": 1}),
    ("read_code", {"path": "use.py", "first": 1, "last": 1, "base": "false"}),
    ("read_code", {"path": "use.py", "first": 1, "last": 1, "commit": "HEAD~1"}),
    ("search_code", {}),
    ("search_code", {"text": ""}),
    ("search_code", {"text": " \t "}),
    ("search_code", {"text": "x"}),
    ("search_code", {"text": 5}),
    ("search_code", {"text": None}),
    ("search_code", {"text": "a\nb"}),
    ("search_code", {"text": "a\0b"}),
    ("search_code", {"text": "\ud800x"}),
    ("search_code", {"text": "x" * (TEXT_CHARS + 1)}),
    ("search_code", {"text": "due", "path": 5}),
    ("search_code", {"text": "due", "regex": True}),
    ("bash", {"command": "id"}),
    ("", {}),
    ("__class__", {"path": "use.py"}),
    ("READ_CODE", {"path": "use.py", "first": 1, "last": 1}),
]


@pytest.mark.parametrize(("tool", "fields"), INVALID)
async def test_invalid_input_gets_a_result_that_says_what_to_do(
    desk: Desk, tool: str, fields: dict[str, Any]
) -> None:
    result = await desk.call(tool, **fields)
    assert result.failed
    assert (
        "`" in result.text
        or "must be" in result.text
        or "tools are" in result.text
        or ("has only" in result.text)
    )


async def test_input_that_is_no_object_gets_a_result(desk: Desk) -> None:
    values: list[Any] = [None, [], "x", 5]
    for value in values:
        result = await desk.answer(LookupCall("read_code", value))
        assert result.failed


@pytest.mark.parametrize(
    "content",
    [b"\0\1\2due", b"due\n" * 100 + b"\0", b"\xff\xfed\0u\0e\0", b"PK\3\4due\0"],
    ids=["short", "late", "utf-16", "archive"],
)
async def test_a_binary_file_is_refused_and_said_not_to_be_searched(
    root: Path, content: bytes
) -> None:
    commit(root, {"data.py": content, "a.py": "x = 1\n"})
    desk = Desk(files_of(root))
    assert "binary" in (await desk.read("data.py")).text
    result = await desk.search("due")
    assert code_of(result) == []
    assert "not searched: binary files" in result.text


async def test_a_minified_file_gives_no_more_than_a_result(root: Path) -> None:
    line = "function a(b){return b&&due};" * 6_000
    assert len(line) < FILE_BYTES
    commit(root, {"app.min.js": line})
    desk = Desk(files_of(root))
    for result in (await desk.read("app.min.js"), await desk.search("due")):
        assert len(result.text) < 1_000
        assert len(code_of(result)) == 1


@pytest.mark.parametrize("number", [60, 400])
async def test_a_storm_of_matches_stays_within_a_result(root: Path, number: int) -> None:
    commit(root, {f"{'d' * 60}/{at}.py": "due\n" * 50 for at in range(number)})
    result = await Desk(files_of(root)).search("due")
    assert len(result.text.encode()) <= MAX_RESULT_BYTES
    assert "did not cover all files" in result.text


@pytest.mark.slow
async def test_a_storm_of_look_ups_is_answered_two_at_a_time() -> None:
    class Counting(GivenFiles):
        running = most = 0

        async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
            Counting.running += 1
            Counting.most = max(Counting.most, Counting.running)
            await asyncio.sleep(0.001)
            Counting.running -= 1
            return await super().files_with(text, word=word, under=under)

    desk = Desk(of_diff("", Counting({"a.py": b"due\n"})))
    results = await asyncio.gather(*(desk.search("due") for _ in range(100)))
    assert {one.text for one in results} == {results[0].text}
    assert Counting.most == 2


async def test_a_source_that_lists_too_many_or_foreign_files_is_bounded() -> None:
    class Lying(GivenFiles):
        read_paths = 0

        async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:  # noqa: ARG002
            return FilesWith(tuple(f"f{number}.py" for number in range(10_000)))

        async def read(self, paths: Sequence[str], *, base: bool = False) -> Any:
            Lying.read_paths += len(paths)
            return await super().read(paths, base=base)

    result = await Desk(of_diff("", Lying({}))).search("due")
    assert result.failed
    assert Lying.read_paths <= 40


DIFF = """\
diff --git a/a.py b/a.py
index 1111111..2222222 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
-old = 1
+due = 1
 x = 2
"""


async def test_a_diff_that_disagrees_with_the_commit_adds_no_lines_to_it() -> None:
    desk = Desk(of_diff(DIFF, GivenFiles({"a.py": b"x = 2\n"})))
    assert code_of(await desk.read("a.py")) == ["R1+|x = 2"]
    assert code_of(await desk.search("due")) == []


@pytest.mark.parametrize("mode", ["120000", "160000"])
async def test_a_diff_that_makes_a_path_a_link_or_a_submodule_withholds_it(mode: str) -> None:
    diff = (
        f"diff --git a/a.py b/a.py\nnew file mode {mode}\n--- /dev/null\n+++ b/a.py\n"
        "@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"
    )
    desk = Desk(of_diff(diff, GivenFiles({"a.py": b"root\n"})))
    assert (await desk.read("a.py")).failed
    assert code_of(await desk.search("root"))[:1] == []


async def test_a_file_that_cannot_be_searched_for_secrets_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from reviewbot.code import lookup_files
    from reviewbot.errors import ReviewbotError

    def fail(text: str, path: str = "") -> str:
        if path:
            raise ReviewbotError("no")
        return text

    monkeypatch.setattr(lookup_files, "redact_text", fail)
    files = LookupFiles(
        parse_diff(b""), Policy(path_patterns([])), source=GivenFiles({"a.py": b"due\n"})
    )
    desk = Desk(files)
    assert "withheld" in (await desk.read("a.py")).text
    result = await desk.search("due")
    assert code_of(result) == []
    assert "files that are withheld" in result.text
