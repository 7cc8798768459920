"""Settings: which layer wins, what is refused, and where a key may go."""

import dataclasses
import json
import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.config.file import MAX_BYTES, parse_config, schema
from reviewbot.config.load import find_config, read_settings, repository_root
from reviewbot.config.routes import RouteSettings, SplitSettings
from reviewbot.config.settings import (
    DEFAULT_MODEL,
    ModelChoice,
    PathInstruction,
    SecretText,
    Settings,
    TimeoutSettings,
    is_web_address,
    load_settings,
)
from reviewbot.errors import ConfigError
from reviewbot.models import catalog

KEY = "sk-" + "planted-key"
HERE = "https://models.example.org"
EVIL = "https://evil.example.org"


def load(
    text: str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
    trusted: bool = False,
    **flags: object,
) -> Settings:
    return load_settings(
        flags=flags, env=env or {}, dotenv=dotenv or {}, config_text=text, config_trusted=trusted
    )


def refusal(text: str, *, trusted: bool = False) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text, trusted=trusted)
    assert str(caught.value) == " ".join(str(caught.value).split()), "one line"
    return caught.value


# --- Which layer wins


def test_a_flag_goes_before_the_environment_before_dotenv_before_the_file() -> None:
    text, env, dotenv = "model: d", {"REVIEWBOT_MODEL": "b"}, {"REVIEWBOT_MODEL": "c"}
    assert load(text, env=env, dotenv=dotenv, model="a").model.name == "a"
    assert load(text, env=env, dotenv=dotenv).model.name == "b"
    assert load(text, dotenv=dotenv).model.name == "c"
    assert load(text).model.name == "d"
    assert load().model.name == "offline"


def test_each_setting_knows_where_it_came_from() -> None:
    settings = load(
        "\njobs: 3\nfail_on: note", env={"REVIEWBOT_MODEL": "m"}, fail_on="never", summary=None
    )
    assert settings.origins == {
        "model": "REVIEWBOT_MODEL",
        "jobs": ".reviewbot.yml:2",
        "fail_on": "--fail-on",
    }


def test_a_flag_that_is_false_still_wins() -> None:
    assert load("summary: true", summary=False).summary is False


def test_with_a_key_claude_reviews_and_without_one_the_offline_rules_and_it_says_why() -> None:
    with_key, without = load(env={"ANTHROPIC_API_KEY": KEY}), load()
    assert with_key.model == ModelChoice(DEFAULT_MODEL, None, SecretText(KEY), "ANTHROPIC_API_KEY")
    assert with_key.model_source == "the default, since ANTHROPIC_API_KEY is set"
    assert without.model == ModelChoice("offline")
    assert without.model_source == "no ANTHROPIC_API_KEY is set, so the offline rules review"


def test_an_empty_flag_is_not_given() -> None:
    assert load(env={"REVIEWBOT_MODEL": "claude-haiku-5-5"}, model="").model.name == (
        "claude-haiku-5-5"
    )
    assert load(model="").model == ModelChoice("offline")
    assert load("model: claude-haiku-5-5", model="").model.name == "claude-haiku-5-5"


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_variable_is_not_set(value: str) -> None:
    settings = load(env={"ANTHROPIC_API_KEY": value, "REVIEWBOT_MODEL": value})
    assert settings.model == ModelChoice("offline")


def test_fallback_models_in_the_environment_are_separated_by_commas() -> None:
    settings = load(env={"REVIEWBOT_FALLBACK_MODELS": " a, ,offline "})
    assert [choice.name for choice in settings.fallback_models] == ["a", "offline"]


def test_every_key_of_the_file_reaches_the_settings() -> None:
    values: dict[str, Any] = {
        "model": "m",
        "fallback_models": ["f"],
        "routes": [{"paths": ["d/"], "max_lines": 9.0, "model": "r", "fallback_models": []}],
        "ab_split": {"model": "b", "share": 1, "by": "change"},
        "base_url": HERE,
        "models": {"m": {"context": 8192}},
        "jobs": 3.0,  # JSON Schema takes it for a whole number
        "budget_usd": 1,
        "fail_on": "note",
        "if_incomplete": "neutral",
        "summary": False,
        "instructions": "be exact",
        "path_instructions": [{"paths": ["a/**"], "instructions": "x"}],
        "exclude": ["b/"],
        "accept_unread": ["rust"],
        "rules": {"python/eval": "off"},
        "confidence": 1,
        "max_notes": 0,
        "max_inline": 3,
        "link_hosts": [],
        "context_lines": 0,
        "chunk_tokens": 3000,
        "batch_tokens": 4000,
        "max_attempts": 1,
        "retry_after_cap_s": 5,
        "timeouts": {"idle_s": 7},
    }
    assert values.keys() == schema()["properties"].keys(), "the table above is complete"
    settings = load(json.dumps(values), trusted=True)
    assert settings.model == ModelChoice("m", HERE, None, "ANTHROPIC_API_KEY")
    assert settings.fallback_models == (ModelChoice("f", HERE, None, "ANTHROPIC_API_KEY"),)
    assert settings.path_instructions == (PathInstruction(("a/**",), "x"),)
    assert settings.routes == (
        RouteSettings(
            name="routes[0]",
            source=".reviewbot.yml:1",
            model=ModelChoice("r", HERE, None, "ANTHROPIC_API_KEY"),
            fallback_models=(),
            paths=("d/",),
            max_lines=9,
        ),
    )
    assert settings.ab_split == SplitSettings(
        source=".reviewbot.yml:1",
        model=ModelChoice("b", HERE, None, "ANTHROPIC_API_KEY"),
        share=1.0,
        by="change",
    )
    assert settings.timeouts == TimeoutSettings(idle_s=7.0)
    assert settings.jobs == 3
    assert isinstance(settings.jobs, int)
    assert isinstance(settings.confidence, float)
    untouched = {"model", "base_url", "fallback_models", "path_instructions", "timeouts", "jobs"}
    untouched |= {"routes", "ab_split"}
    for key, value in values.items():
        if key not in untouched:
            found = getattr(settings, key)
            assert (list(found) if isinstance(value, list) else found) == value


def test_the_defaults_of_the_schema_are_the_defaults_of_the_settings() -> None:
    settings = load()
    plain = json.loads(json.dumps(dataclasses.asdict(settings), default=lambda _: None))
    for key, facts in schema()["properties"].items():
        if key == "timeouts":
            for part, part_facts in facts["properties"].items():
                assert plain["timeouts"][part] == part_facts["default"]
        elif "default" in facts:
            assert plain[key] == facts["default"], key


def test_every_key_of_the_schema_is_described() -> None:
    def undescribed(facts: Any, name: str) -> list[str]:
        missing = []
        for key, value in facts.get("properties", {}).items():
            if "description" not in value and "$ref" not in value:
                missing.append(f"{name}.{key}")
            missing += undescribed(value, f"{name}.{key}")
        for part in ("items", "additionalProperties"):
            if isinstance(facts.get(part), dict):
                missing += undescribed(facts[part], name)
        return missing

    whole = schema()
    assert undescribed(whole, "") == []
    assert undescribed(whole["$defs"]["prices"], "prices") == []


def test_the_state_folder_is_the_platforms_unless_it_is_set(tmp_path: Path) -> None:
    assert load(env={"REVIEWBOT_STATE_DIR": str(tmp_path)}).state_folder == tmp_path
    assert load(env={"REVIEWBOT_STATE_DIR": "~/x"}).state_folder == Path.home() / "x"
    assert load().state_folder.name == "reviewbot"


# --- Where a key may go


def test_a_secret_is_shown_by_nothing_that_prints() -> None:
    settings = load(env={"ANTHROPIC_API_KEY": KEY})
    shown = [repr(settings), str(settings.model.api_key), f"{settings.model.api_key}"]
    shown += traceback.format_exception(ValueError(settings))
    assert KEY not in "".join(shown)
    assert settings.model.api_key is not None
    assert settings.model.api_key.reveal() == KEY


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (f"jobs: 1\nbase_url: {EVIL}", "base_url", 2),
        (f"fallback_models:\n- name: x\n  base_url: {EVIL}", "fallback_models[0].base_url", 3),
        (
            "fallback_models: [{name: x, api_key_env: AWS_KEY}]",
            "fallback_models[0].api_key_env",
            1,
        ),
        (
            "models: {m: {prices: {input: 0, output: 0, cache_read: 0, cache_write: 0}}}",
            "models.m.prices",
            1,
        ),
        (
            "models: {m: {token_factor: 0.5}}",  # would estimate less than a request takes
            "models.m.token_factor",
            1,
        ),
    ],
)
def test_a_file_found_in_the_repository_decides_neither_who_gets_a_key_nor_what_it_costs(
    text: str, key: str, line: int
) -> None:
    error = refusal(text)
    assert (error.key, error.line) == (key, line)
    assert "--config" in error.message
    load(text, trusted=True)


def test_an_address_from_dotenv_never_meets_a_key_from_the_environment() -> None:
    with pytest.raises(
        ConfigError, match=r"ANTHROPIC_BASE_URL in \.env: this address would receive"
    ):
        load(env={"ANTHROPIC_API_KEY": KEY}, dotenv={"ANTHROPIC_BASE_URL": EVIL})
    with pytest.raises(ConfigError, match="would receive the OTHER_KEY of your environment"):
        load(
            "fallback_models: [{name: x, api_key_env: OTHER_KEY}]",
            trusted=True,
            env={"OTHER_KEY": KEY},
            dotenv={"ANTHROPIC_BASE_URL": EVIL, "ANTHROPIC_API_KEY": ""},
        )


@pytest.mark.parametrize(
    ("env", "dotenv"),
    [
        ({}, {"ANTHROPIC_BASE_URL": HERE, "ANTHROPIC_API_KEY": KEY}),
        ({"ANTHROPIC_BASE_URL": HERE}, {"ANTHROPIC_API_KEY": KEY}),
        ({"ANTHROPIC_BASE_URL": HERE, "ANTHROPIC_API_KEY": KEY}, {"ANTHROPIC_BASE_URL": EVIL}),
    ],
)
def test_an_address_that_the_user_chose_gets_the_key(
    env: dict[str, str], dotenv: dict[str, str]
) -> None:
    choice = load(env=env, dotenv=dotenv).model
    assert (choice.base_url, choice.api_key) == (HERE, SecretText(KEY))


def test_the_offline_rules_need_no_address_so_a_strangers_dotenv_does_not_stop_them() -> None:
    settings = load(
        env={"ANTHROPIC_API_KEY": KEY}, dotenv={"ANTHROPIC_BASE_URL": EVIL}, model="offline"
    )
    assert settings.model == ModelChoice("offline")


def test_a_fallback_with_its_own_address_gets_its_own_key_or_none() -> None:
    models = [
        {"name": "a", "base_url": HERE},
        {"name": "b", "base_url": HERE, "api_key_env": "B"},
        "c",
    ]
    text = json.dumps({"fallback_models": models})
    settings = load(text, trusted=True, env={"ANTHROPIC_API_KEY": KEY, "B": "other"})
    assert settings.fallback_models == (
        ModelChoice("a", HERE, None, None),
        ModelChoice("b", HERE, SecretText("other"), "B"),
        ModelChoice("c", None, SecretText(KEY), "ANTHROPIC_API_KEY"),
    )


@given(
    env=st.sets(st.sampled_from(["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "B"])),
    dotenv=st.sets(st.sampled_from(["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "B"])),
    fallback=st.sampled_from(["[]", "[x]", "[{name: x, api_key_env: B}]"]),
    trusted=st.booleans(),
)
def test_no_mix_of_layers_sends_a_key_of_the_environment_to_an_address_of_someone_else(
    env: set[str], dotenv: set[str], fallback: str, trusted: bool
) -> None:
    def variables(names: set[str], address: str, key: str) -> dict[str, str]:
        return {name: address if name.endswith("URL") else key for name in names}

    try:
        settings = load(
            f"fallback_models: {fallback}" + ("" if trusted else f"\nbase_url: {EVIL}"),
            env=variables(env, HERE, "mine"),
            dotenv=variables(dotenv, EVIL, "theirs"),
            trusted=trusted,
        )
    except ConfigError:
        return
    for choice in (settings.model, *settings.fallback_models):
        assert (choice.base_url, choice.api_key) != (EVIL, SecretText("mine"))


def test_a_choice_says_in_a_sentence_that_its_key_is_missing() -> None:
    assert load(model="claude-x").model.problem == (
        "claude-x needs a key: set ANTHROPIC_API_KEY, or review with --model offline"
    )
    assert ModelChoice("x", HERE, None, "B").problem is not None
    assert ModelChoice("x", HERE, None, "ANTHROPIC_API_KEY").problem is None
    assert ModelChoice("x", HERE).problem is None
    assert ModelChoice("x", HERE, SecretText(KEY), "B").problem is None
    assert load().model.problem is None


@pytest.mark.parametrize(
    "address",
    ["example.org", "ftp://example.org", "https://", "https://me:pw@example.org", "https://a b"],
)
def test_an_address_that_is_none_is_refused_wherever_it_stands(address: str) -> None:
    assert not is_web_address(address)
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL: must be an http or https address"):
        load(env={"ANTHROPIC_BASE_URL": address}, model="m")
    assert refusal(f'base_url: "{address}"', trusted=True).key == "base_url"


@given(st.text(st.sampled_from("htps:/@ .ab\n")))
def test_the_schema_and_the_environment_agree_on_what_an_address_is(text: str) -> None:
    try:
        parse_config(json.dumps({"base_url": text}), name="x", trusted=True)
        valid = True
    except ConfigError:
        valid = False
    assert is_web_address(text) == valid


# --- What the file says when it is wrong


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jobs: 0", ".reviewbot.yml:1: jobs: must be at least 1, not 0"),
        ("\nmodle: x", ".reviewbot.yml:2: modle: is not a setting; did you mean model?"),
        ("zzz: x", ".reviewbot.yml:1: zzz: is not a setting; known are ab_split, accept_unread,"),
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
        ("jobs: 1\n---\njobs: 2", ".reviewbot.yml:2: only one document is read"),
        ("a: &x 1\nb: *x", ".reviewbot.yml:1: a: anchors and aliases are not read"),
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
    assert load("rules: {a: off}").rules == {"a": "off"}
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


def test_two_files_in_one_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").touch()
    (tmp_path / ".reviewbot.yaml").touch()
    with pytest.raises(ConfigError, match="keep one of the two"):
        find_config(tmp_path)


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
        with pytest.raises(ConfigError, match="is no file"):
            read_settings({}, config=path, cwd=tmp_path, env={})


def test_a_pipe_in_place_of_dotenv_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    assert read_settings({}, cwd=tmp_path, env={}).model.name == "offline"


def test_the_schema_admits_the_capabilities_that_the_catalogue_takes() -> None:
    facts = schema()["properties"]["models"]["additionalProperties"]["properties"]
    assert facts.keys() == catalog._CHECKS.keys()
    assert facts["thinking"]["enum"] == list(get_args(catalog.ThinkingMode))
    assert facts["effort"]["enum"] == [*get_args(catalog.Effort), None]
    prices = schema()["$defs"]["prices"]["properties"]
    assert list(prices) == [field.name for field in dataclasses.fields(catalog.Prices)]


def test_overrides_that_the_file_admits_reach_the_catalogue() -> None:
    prices = {"input": 1, "output": 2, "cache_read": 0, "cache_write": 1}
    long = {"long_from": 1000, "long": prices}
    text = json.dumps({"models": {"m": {"context": 9000, "prices": prices | long}}})
    info = catalog.lookup("m", load(text, trusted=True).models)
    assert info.context == 9000
    assert info.prices is not None
    assert info.prices.long == catalog.Prices(1, 2, 0, 1)
