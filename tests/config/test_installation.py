"""The command that installs an extra fits the way in which reviewbot was installed."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from reviewbot.config.installation import install_command

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "reviewbot"


class Installed:
    """An installed package with this ``direct_url.json``; None as from an index."""

    def __init__(self, origin: object) -> None:
        self.origin = None if origin is None else json.dumps(origin)

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'reviewbot[github]'"),
        ({"url": "file:///a/reviewbot.whl", "archive_info": {}}, "pip install 'reviewbot[github]'"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "pip install '.[github]'"),
        ({"url": "file:///src", "dir_info": {}}, "pip install '.[github]'"),
    ],
    ids=["index", "wheel", "editable", "folder"],
)
def test_the_command_names_the_package_or_the_checkout(
    origin: object, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(origin))
    assert install_command("github") == command


def test_reviewbot_that_is_not_installed_runs_from_a_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert install_command("server") == "pip install '.[server]'"


def test_no_message_spells_the_command_out() -> None:
    spelled = re.compile(r"pip install '[^{]")
    files = [path for path in PACKAGE.rglob("*.py") if spelled.search(path.read_text("utf-8"))]
    assert not files


def test_the_documentation_installs_from_a_checkout_as_the_readme_does() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    commands = {
        command
        for path in documents
        for command in re.findall(r"pip install [^\s`]+", path.read_text("utf-8"))
    }
    assert "pip install ." in commands
    assert not {command for command in commands if "reviewbot" in command}
