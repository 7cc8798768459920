"""What holds for the project as a whole: purity, locks, documentation, hygiene."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement

from reviewbot import REPOSITORY, __version__
from reviewbot.cli.main import main
from reviewbot.config.file import schema
from reviewbot.config.variables import DOTENV, MACHINE

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reviewbot"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OWNER, NAME = REPOSITORY.removeprefix("https://github.com/").split("/")
RAW = f"https://raw.githubusercontent.com/{OWNER}/{NAME}/main/"
DOCUMENTS = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


# --- What a module may import

IMPURE = {
    *("asyncio", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess"),
    *("tempfile", "threading", "time", "uuid", "urllib.request", "http", "anthropic", "httpx2"),
    *("importlib.resources", "betterleaks"),
}
"""What I/O, clocks, chance and the environment come from."""

IMPURE_IN_CORE = {
    "core/prompt/templates.py": {"importlib.resources"},  # the prompts are data of the package
    # betterleaks in a process of its own, where there is a build
    "core/safety/child_process.py": {"os", "subprocess"},
    "core/safety/leak_process.py": {"os", "threading"},
}
"""The exceptions, as docs/architecture.md has them."""


@cache
def runtime_imports(path: Path) -> frozenset[str]:
    """Return the modules that a file imports when it runs, wherever in it; not those for types."""
    return frozenset(_runtime_imports(path))


def _runtime_imports(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.slow
def test_one_module_knows_the_client_library_of_github() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if any(name.partition(".")[0] == "github" for name in runtime_imports(path))
    }
    assert users == {"github/client/transport.py"}


@pytest.mark.slow
def test_two_modules_that_the_parser_process_runs_know_the_parser() -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if any(name.partition(".")[0] == "ast_grep_py" for name in runtime_imports(path))
    }
    assert users == {"models/offline/fragments.py", "models/offline/worker.py"}


CORE_SOURCES = sorted((PACKAGE / "core").rglob("*.py"))


def test_the_core_imports_nothing_impure() -> None:
    imported = {
        path.relative_to(PACKAGE).as_posix(): {
            impure
            for name in runtime_imports(path)
            for impure in (name, name.partition(".")[0])
            if impure in IMPURE
        }
        for path in CORE_SOURCES
    }
    assert {path: names for path, names in imported.items() if names} == IMPURE_IN_CORE


def test_the_core_neither_reads_nor_writes() -> None:
    calls = {
        (path.relative_to(PACKAGE).as_posix(), node.func.id)
        for path in CORE_SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not {call for call in calls if call[1] in ("open", "print", "input", "eval", "exec")}


def test_no_class_has_a_default_that_python_3_11_refuses_in_a_dataclass() -> None:
    """A mapping proxy has a hash since 3.12; before, a dataclass takes it for a mutable default."""
    refused = [
        f"{path.relative_to(PACKAGE).as_posix()}:{field.lineno}"
        for path in SOURCES
        if "MappingProxyType(" in (text := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and node.decorator_list
        for field in node.body
        if isinstance(field, ast.AnnAssign) and field.value is not None
        if ast.unparse(field.value).startswith("MappingProxyType(")
    ]
    assert not refused


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.slow
def test_arguments_without_types_stay_in_the_module_of_their_command() -> None:
    """Beside the commands, which take them in ``run``, only the dispatcher knows them."""
    users, shared = set(), set()
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        if not any(map(_is_namespace, ast.walk(tree))):
            continue
        name = path.relative_to(PACKAGE).as_posix()
        functions = [node for node in tree.body if isinstance(node, FUNCTIONS)]
        if not any(function.name == "run" for function in functions):
            users.add(name)
        shared |= {
            f"{name}:{function.name}"
            for function in functions
            if function.name != "run" and not function.name.startswith("_")
            if any(map(_is_namespace, ast.walk(function)))
        }
    assert users == {"cli/main.py"}
    assert not shared


def _is_namespace(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)
    return name == "Namespace"


# --- The locks


def locked(name: str) -> dict[str, list[tuple[Requirement, list[str]]]]:
    """Each requirement of a lock, by package (which may stand there once a platform)."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    found: dict[str, list[tuple[Requirement, list[str]]]] = {}
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        parsed = Requirement(requirement)
        found.setdefault(parsed.name, []).append((parsed, hashes))
    return found


@pytest.mark.parametrize("name", ["base.txt", "server.txt", "action.txt", "uv.txt", "dev.txt"])
def test_every_locked_package_has_one_exact_version_and_sha256_hashes(name: str) -> None:
    for package, entries in locked(name).items():
        for requirement, hashes in entries:
            assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), package
            assert requirement.url is None
            assert hashes, package
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), package


@pytest.mark.parametrize("name", ["base.txt", "action.txt", "uv.txt", "dev.txt"])
def test_a_lock_names_no_index_and_no_place_of_this_machine(name: str) -> None:
    for line in (ROOT / "requirements" / name).read_text("utf-8").splitlines():
        assert not re.match(r"\s*(-|https?:|file:|/)(?!-hash=)", line), line
        assert "://" not in line


def wanted(extra: str | None) -> list[Requirement]:
    """What the project asks for, with an extra; an extra may name others of the project's own."""
    texts = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    found = [Requirement(text) for text in texts]
    own = [one for one in found if one.name == PROJECT["name"]]
    others = [one for one in found if one not in own]
    return others + [asked for one in own for name in one.extras for asked in wanted(name)]


@pytest.mark.parametrize(
    ("name", "extra"),
    [("base.txt", None), ("server.txt", "server"), ("action.txt", "github"), ("dev.txt", "dev")],
)
def test_the_lock_is_that_of_the_project(name: str, extra: str | None) -> None:
    lock = locked(name)
    for asked in wanted(None) + (wanted(extra) if extra else []):
        entries = lock.get(asked.name.lower(), [])
        assert entries, f"{asked.name} is not locked: run make lock"
        for requirement, _ in entries:
            (version,) = [part.version for part in requirement.specifier]
            assert version in asked.specifier, f"{requirement} is not {asked}: run make lock"


@pytest.mark.parametrize("name", ["base.txt", "server.txt", "action.txt", "uv.txt"])
def test_tests_run_with_what_users_get(name: str) -> None:
    """The same versions; where a package is needed may be more with more of them."""
    users, dev = locked(name), locked("dev.txt")
    for package, entries in users.items():
        found = {(str(one.specifier), tuple(hashes)) for one, hashes in entries}
        assert found <= {(str(one.specifier), tuple(hashes)) for one, hashes in dev[package]}


# --- Documentation

LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[\w-]+\]: (\S+)$", re.MULTILINE)
PUBLISHED = re.compile(rf"{REPOSITORY}/blob/main/|{RAW}")


def links(path: Path) -> list[str]:
    """Return the targets of links, in the text or in its last lines."""
    return [inline or listed for inline, listed in LINK.findall(path.read_text("utf-8"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    for target in links(path):
        local = PUBLISHED.sub(f"{ROOT}/", target)
        file, _, fragment = local.partition("#")
        if "://" in local or target.startswith("mailto:"):
            continue
        there = path if not file else (path.parent / file).resolve()
        assert there.exists(), f"{path.name}: {target}"
        if fragment:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
            assert fragment in slugs, f"{path.name}: {target}"


def test_the_architecture_names_every_folder_and_no_module_that_is_gone() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    folders = {f"{one.parent.relative_to(PACKAGE).as_posix()}/" for one in SOURCES} - {"./"}
    table = set(re.findall(r"`([\w/]+/)`", text))
    assert {one for one in folders if one not in table and one.count("/") < 3} <= {
        *("server/http/", "server/telemetry/", "server/github/"),  # their last names alone
        *("models/anthropic/", "models/offline/"),
    }
    for name in re.findall(r"`([\w/]+\.py)`", text):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


def test_the_readme_leads_to_every_page() -> None:
    found = {PUBLISHED.sub("", target) for target in links(ROOT / "README.md")}
    assert {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")} <= found


def test_the_links_of_the_readme_work_on_the_page_of_the_package() -> None:
    """PyPI shows README.md alone, without the files beside it."""
    relative = [one for one in links(ROOT / "README.md") if not one.startswith("https://")]
    assert not relative, "list the address at the end of README.md, and name it in the text"
    text = (ROOT / "README.md").read_text("utf-8")
    named = re.findall(r"\]\[([^\]]*)\]", text)
    assert set(named) == set(re.findall(r"^\[(.+?)\]:", text, re.MULTILINE))


def test_the_readme_shows_each_picture_and_three_short_ways_to_use_it() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = [path for path in ROOT.glob("docs/images/*") if path.suffix != ".txt"]
    shown = {PUBLISHED.sub("", target) for target in links(ROOT / "README.md")}
    assert {path.relative_to(ROOT).as_posix() for path in pictures} <= shown
    assert text.count("\n![") == len(pictures) == 3
    _, _, ways = text.partition("\n## Three ways to use it\n")
    blocks = re.findall(r"```(\w+)\n(.*?)```", ways.partition("\n## ")[0], re.DOTALL)
    assert [language for language, _ in blocks] == ["yaml", "sh", "sh"]
    most = {"yaml": 12, "sh": 10}
    assert all(code.count("\n") <= most[language] for language, code in blocks)


def test_every_setting_and_every_variable_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    whole = schema()
    properties = whole["properties"]
    keys = {
        *properties,
        *properties["timeouts"]["properties"],
        *properties["models"]["additionalProperties"]["properties"],
        *properties["fallback_models"]["items"]["properties"],
        *properties["path_instructions"]["items"]["properties"],
        *properties["routes"]["items"]["properties"],
        *properties["ab_split"]["properties"],
        *whole["$defs"]["prices"]["properties"],
    }
    missing = {key for key in keys | MACHINE | DOTENV if f"`{key}`" not in text}
    assert not missing


def test_the_example_environment_has_exactly_the_variables_that_are_read_from_it() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    names = set(re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE))
    assert names == DOTENV


def test_every_flag_in_the_documentation_exists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["review", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    table = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    flags = set(re.findall(r"^\| `(--[a-z-]+)", table, re.MULTILINE))
    assert flags
    assert flags <= known


def test_every_make_target_that_is_documented_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in DOCUMENTS:
        for target in re.findall(r"`make ([a-z]+)", path.read_text("utf-8")):
            assert target in targets, f"{path.name}: make {target}"


def test_the_changelog_knows_this_version_or_has_it_before_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## Unreleased" in text or f"## {__version__}" in text


# --- Hygiene


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if done.returncode:
        pytest.skip("not a checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_place_of_one_machine_or_a_registry() -> None:
    # In two parts each, so that this file is no hit itself.
    words = ["/work" + "/", "/opt" + "/wheels", "files.python" + "hosted", "pypi" + ".org/simple"]
    words += ["registry.npm" + "js", "/root" + "/", "find" + "-links ="]
    for path in tracked():
        content = path.read_bytes()
        found = [word for word in words if word.encode() in content]
        assert not found, f"{path.relative_to(ROOT)}: {found}"


OWNED = re.compile(
    rf"(?:github\.com|githubusercontent\.com|ghcr\.io)/([\w.-]+)/{NAME}\b"
    rf"|(?<![\w./-])([\w.-]+)/{NAME}(?=@|/\.github)"
)


def test_every_file_names_the_owner_of_the_public_repository() -> None:
    found: dict[str, set[str]] = {}
    for path in tracked():
        content = path.read_bytes()
        if f"/{NAME}".encode() not in content:
            continue
        for one in OWNED.finditer(content.decode("utf-8", "replace")):
            found.setdefault(one[1] or one[2], set()).add(path.relative_to(ROOT).as_posix())
    assert found.keys() == {OWNER}, str(found)  # as text it is shown whole
    assert {"pyproject.toml", "docs/action.md"} <= found[OWNER]
    assert yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["author"] == OWNER


def test_one_module_of_the_code_names_the_owner() -> None:
    naming = [path for path in SOURCES if OWNER in path.read_text("utf-8")]
    assert naming == [PACKAGE / "__init__.py"]


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "schemas").glob("*.json")), ids=lambda path: path.name
)
def test_every_published_schema_is_one(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert content["$id"] == RAW + path.relative_to(ROOT).as_posix()
    Draft202012Validator.check_schema(content)


def test_awkward_bytes_are_not_changed_by_a_checkout() -> None:
    paths = [path for path in tracked() if path.suffix in (".diff", ".patch", ".tiktoken")]
    assert paths
    done = subprocess.run(
        ["git", "check-attr", "text", "--", *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert all(line.endswith(": text: unset") for line in done.stdout.splitlines())
