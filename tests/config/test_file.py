"""Configuration files: which one is read, and what a wrong one is told."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.config.file import MAX_BYTES, parse_config
from reviewbot.config.load import find_config, read_settings, repository_root
from reviewbot.config.settings import load_settings
from reviewbot.errors import ConfigError
from tests.support.settings import EVIL, HERE, KEY, load, refusal

if TYPE_CHECKING:
    from pathlib import Path

# --- What the file says when it is wrong


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jobs: 0", ".reviewbot.yml:1: jobs: must be at least 1, not 0"),
        ("\nmodle: x", ".reviewbot.yml:2: modle: is not a setting; did you mean model?"),
        (
            "zzz: x",
            ".reviewbot.yml:1: zzz: is not a setting; supported are ab_split, accept_unread,",
        ),
        ("jobs: 1\n\njobs: 2", ".reviewbot.yml:3: jobs: is set twice, first in line 1"),
        ("jobs: many", '.reviewbot.yml:1: jobs: must be a whole number, not "many"'),
        ("summary: no", '.reviewbot.yml:1: summary: must be true or false, not "no"'),
        ("fail_on: fatal", ".reviewbot.yml:1: fail_on: must be one of error, warning, note, never"),
        ("timeouts:\n  idle_s: 0", ".reviewbot.yml:2: timeouts.idle_s: must be more than 0, not 0"),
        ("timeouts:\n  idle: 1", "2: timeouts.idle: is not a setting; did you mean idle_s?"),
        ("exclude:\n- a\n- ''", "3: exclude[1]: must be text of 1 characters or more"),
        ("exclude: a", '1: exclude: must be a list, not "a"'),
        ("path_instructions:\n- paths: [a]", "2: path_instructions[0]: needs instructions"),
        ("path_instructions: [{paths: [], instructions: a}]", "a list of 1 or more, not a list of"),
        ("budget_usd: 1e999", "1: budget_usd: is too large a number"),
        ("budget_usd: 1000001", "1: budget_usd: must be at most 1000000, not 1000001"),
        ("budget_usd: .inf", "1: budget_usd: must be a number or null"),
        ("link_hosts: ['http://a']", "1: link_hosts[0]: must be the name of a host"),
        ("models: {m: {effort: huge}}", "must be one of low, medium, high, xhigh, max, null, not"),
        ("instructions: " + "x" * 4001, "text of at most 4000 characters, not"),
        (
            "rules:\n" + "".join(f"  a{number}: off\n" for number in range(501)),
            "1: rules: must be a mapping of at most 500, not a mapping",
        ),
        ("[1]", ".reviewbot.yml:1: must be a mapping, not a list of 1"),
        ("just words", '.reviewbot.yml:1: must be a mapping, not "just words"'),
        ("jobs: 1\n---\njobs: 2", ".reviewbot.yml:2: must be a single document"),
        ("a: &x 1\nb: *x", ".reviewbot.yml:1: a: anchors and aliases are not supported"),
        ("jobs: !!python/object:os.system x", "1: jobs: the tag tag:yaml.org,2002:python/object"),
        ("? [a]\n: 1", ".reviewbot.yml:1: a key must be a plain word"),
        ("exclude: [a", ".reviewbot.yml:1: is not valid YAML: expected ',' or ']'"),
        ("\n\t- a", ".reviewbot.yml:2: is not valid YAML: found character"),
        ("a\0", ".reviewbot.yml: is not valid YAML: unacceptable character #x0000"),
        ("[" * 60_000, "is nested too deep"),
        ("x" * (MAX_BYTES + 1), f".reviewbot.yml: is longer than {MAX_BYTES} bytes"),
    ],
    ids=lambda text: text[:24].replace("\n", "|").replace("\0", "0"),
)
def test_a_wrong_file_gets_one_sentence_with_its_line_and_key(text: str, sentence: str) -> None:
    assert sentence in str(refusal(text))


def test_the_first_wrong_line_is_the_one_that_is_named() -> None:
    assert refusal("jobs: 1\nsummary: 3\nexclude: 4\nabc: 1").line == 2


def test_a_long_value_is_not_repeated_in_whole() -> None:
    assert len(str(refusal("fail_on: " + "x" * 50_000))) < 200


def test_off_and_yes_are_words_as_the_schema_and_editors_see_them() -> None:
    assert load("rules: {bug: off}").rules == {"bug": "off"}
    assert load("instructions: yes").instructions == "yes"


def test_the_key_with_the_surprising_name_keeps_its_place() -> None:
    error = refusal('rules:\n  "a.b\\e[0m": loud')
    assert (error.key, error.line) == ("rules.a.b\x1b[0m", 2)


@pytest.mark.parametrize("text", ["", "# only comments\n", "---\n", "null", "{}"])
def test_an_empty_file_sets_nothing(text: str) -> None:
    assert load(text) == load()


@given(st.text(max_size=200))
def test_whatever_the_text_it_is_read_or_refused_with_a_config_error(text: str) -> None:
    try:
        load(text)
    except ConfigError as error:
        assert error.source == ".reviewbot.yml"


@given(
    st.dictionaries(
        st.sampled_from(["jobs", "exclude", "summary", "budget_usd", "rules", "nope"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-10, 100) | st.floats(0, 5) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=4,
        ),
    )
)
def test_json_is_read_as_json(values: dict[str, Any]) -> None:
    try:
        config = parse_config(json.dumps(values), name="x", trusted=True)
    except ConfigError:
        return
    assert config.values == values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (r'model: "\UFFFFFFFF"', "c.yml: is not valid YAML: an escape in it"),
        (r'model: "\U00110000"', "c.yml: is not valid YAML: an escape in it"),
        (r'model: "m\uD800"', "c.yml:1: model: holds half of a character"),
        (r'exclude: ["\uDC00\uD800"]', r"c.yml:1: exclude\[0\]: holds half of a character"),
        (r'rules: {"\uD800": off}', "c.yml:1: rules: holds half of a character"),
    ],
)
def test_escapes_that_are_no_characters_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        parse_config(text, name="c.yml", trusted=True)


def test_a_character_that_json_escapes_in_halves_is_whole() -> None:
    config = parse_config(r'instructions: "\ud83d\ude00"', name="c.yml", trusted=True)
    assert config.values == {"instructions": "\U0001f600"}


def test_a_folder_of_an_unknown_user_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^REVIEWBOT_STATE_DIR: '~nouser/x' begins"):
        load_settings(flags={}, env={"REVIEWBOT_STATE_DIR": "~nouser/x"})


# --- Which files are read


def make_repository(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    return folder


def test_the_nearest_file_up_to_the_root_of_the_repository_is_read(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    below = root / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / ".reviewbot.yml").write_text("jobs: 1")
    assert find_config(below) is None, "beyond the repository is someone else's"
    (root / ".reviewbot.yml").write_text("jobs: 2")
    assert find_config(below) == root / ".reviewbot.yml"
    (root / "a" / ".reviewbot.yaml").write_text("jobs: 3")
    assert read_settings({}, cwd=below, env={}).jobs == 3
    assert repository_root(below) == root


def test_outside_a_repository_only_the_folder_itself_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("jobs: 1")
    (tmp_path / "a").mkdir()
    assert find_config(tmp_path / "a") is None
    assert find_config(tmp_path) is not None


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself"])
def test_what_has_the_name_of_the_file_but_is_none_is_an_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".reviewbot.yml"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "link to itself" else tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"is not a file|cannot be read"):
        read_settings({}, cwd=tmp_path, env={})


def test_two_files_in_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").touch()
    (tmp_path / ".reviewbot.yaml").touch()
    with pytest.raises(ConfigError, match="keep one of the two"):
        find_config(tmp_path)


@pytest.mark.parametrize("name", [".reviewbot.yml", ".env"])
def test_a_file_that_the_system_cannot_look_up_is_a_configuration_error(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).symlink_to("x" * 300)
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        read_settings({}, cwd=tmp_path, env={})


def test_a_file_that_the_user_names_is_read_instead_and_trusted(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("jobs: 5")
    own = tmp_path / "own.yml"
    own.write_text(f"base_url: {HERE}\nmodel: m")
    settings = read_settings({}, config=own, cwd=tmp_path, env={})
    assert (settings.model.base_url, settings.jobs) == (HERE, 8)
    assert settings.origins["model"] == "own.yml:2"


def test_the_repositorys_own_file_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text(f"base_url: {EVIL}")
    with pytest.raises(ConfigError, match=r"^\.reviewbot\.yml:1: base_url: is not read from"):
        read_settings({}, cwd=tmp_path, env={})


def test_dotenv_is_read_as_it_stands_and_the_process_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("REVIEWBOT_MODEL", raising=False)
    (tmp_path / ".env").write_text(
        "export REVIEWBOT_MODEL='m' # mine\nNAME_ONLY\n"
        "REVIEWBOT_FALLBACK_MODELS=${ANTHROPIC_API_KEY}\n"
    )
    settings = read_settings({"model": None}, cwd=tmp_path)
    assert settings.model.name == "m"
    assert settings.fallback_models[0].name == "${ANTHROPIC_API_KEY}"
    assert settings.origins["model"] == "REVIEWBOT_MODEL in .env"
    assert "REVIEWBOT_MODEL" not in os.environ


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"jobs: 1\n\xff", ":2: is not UTF-8 text"), (b"x" * 1_000_001, "is larger than")],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "c.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_settings({}, config=path, cwd=tmp_path, env={})


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_bytes(b"\xef\xbb\xbfjobs: 2\r\n")
    assert read_settings({}, cwd=tmp_path, env={}).jobs == 2


def test_a_missing_file_or_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yml"):
        with pytest.raises(ConfigError, match="is not a file"):
            read_settings({}, config=path, cwd=tmp_path, env={})


def test_a_pipe_in_place_of_dotenv_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    assert read_settings({}, cwd=tmp_path, env={}).model.name == "offline"
