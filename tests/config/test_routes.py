"""Routes and the split as they are set: which layer wins, what is refused, where keys may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.config.file import USER_ONLY
from reviewbot.config.settings import ModelChoice, SecretText, Settings, load_settings
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "sk-" + "planted-key"
EVIL = "https://evil.example.org"
FILE = """\
model: m
routes:
  - paths: [docs/]
    model: d
  - categories: [security]
    model: s
    fallback_models: [t, offline]
ab_split: {model: b, share: 0.25}
fallback_models: [f]
"""


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


def chains(settings: Settings) -> dict[str, list[str]]:
    return {name: [one.name for one in models] for name, models in settings.chains()}


def by_route(settings: Settings) -> list[tuple[tuple[str, ...] | None, str]]:
    return [(one.categories, one.model.name) for one in settings.routes]


def test_after_a_routes_model_come_its_own_fallbacks_or_else_those_of_the_file() -> None:
    assert chains(load(FILE)) == {
        "model": ["m", "f"],
        "routes[0]": ["d", "f"],
        "routes[1]": ["s", "t", "offline"],
        "ab_split": ["b", "f"],
    }


def test_an_empty_list_of_fallbacks_means_nobody() -> None:
    text = "fallback_models: [f]\nroutes: [{max_lines: 1, model: a, fallback_models: []}]"
    assert chains(load(text))["routes[0]"] == ["a"]


def test_every_model_that_may_be_asked_is_known_once() -> None:
    names = [one.name for one in load(FILE).choices]
    assert names == ["m", "f", "d", "s", "t", "offline", "b"]


def test_a_routes_model_gets_the_key_and_address_that_any_model_gets() -> None:
    env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://localhost:1"}
    (route,) = load("routes: [{max_lines: 1, model: a}]", env=env).routes
    assert route.model == ModelChoice(
        "a", "http://localhost:1", SecretText(KEY), "ANTHROPIC_API_KEY"
    )


def test_a_routes_model_may_live_elsewhere_and_then_gets_its_own_key_alone() -> None:
    model = "{name: a, base_url: 'http://localhost:2', api_key_env: MINE}"
    env = {"ANTHROPIC_API_KEY": KEY, "MINE": "other"}
    (route,) = load(f"routes: [{{max_lines: 1, model: {model}}}]", env=env, trusted=True).routes
    assert route.model == ModelChoice("a", "http://localhost:2", SecretText("other"), "MINE")


# --- Which layer wins


def test_a_variable_goes_before_the_file() -> None:
    env = {
        "REVIEWBOT_ROUTES": " docs = x ,security=y",
        "REVIEWBOT_AB_SPLIT": "claude=x=0.5",
    }
    settings = load(FILE, env=env)
    assert by_route(settings) == [(("docs",), "x"), (("security",), "y")]
    assert settings.ab_split is not None
    assert (settings.ab_split.model.name, settings.ab_split.share) == ("claude=x", 0.5)
    assert settings.origins["routes"] == "REVIEWBOT_ROUTES"
    assert settings.routes[0].source == "REVIEWBOT_ROUTES"
    assert by_route(load(FILE, dotenv=env)) == by_route(settings)


@pytest.mark.parametrize("how", [{"model": "mine"}, {"env": {"REVIEWBOT_MODEL": "mine"}}])
def test_who_sets_one_model_by_hand_gets_that_model_and_it_is_said(how: dict[str, str]) -> None:
    settings = load(FILE, **how)  # type: ignore[arg-type]
    assert chains(settings) == {"model": ["mine", "f"]}
    by = "--model" if "model" in how else "REVIEWBOT_MODEL"
    assert settings.notices == (
        f"routes, set by .reviewbot.yml:2, has no effect: the model is set by {by} and reviews all"
        " files.",
        f"ab_split, set by .reviewbot.yml:8, has no effect: the model is set by {by} and reviews"
        " all files.",
    )
    assert not {"routes", "ab_split"} & settings.origins.keys()


def test_routes_of_the_environment_hold_beside_its_model_but_not_beside_the_flag() -> None:
    env = {"REVIEWBOT_MODEL": "m", "REVIEWBOT_ROUTES": "docs=d"}
    assert chains(load(env=env)) == {"model": ["m"], "routes[0]": ["d"]}
    assert load(env=env).notices == ()
    assert chains(load(env=env, model="x")) == {"model": ["x"]}
    assert chains(load(env={"REVIEWBOT_MODEL": "m"}, dotenv=env)) == {"model": ["m"]}
    assert chains(load(env={"REVIEWBOT_ROUTES": "docs=d"}, dotenv={"REVIEWBOT_MODEL": "m"})) == {
        "model": ["m"],
        "routes[0]": ["d"],
    }


def test_a_model_in_the_file_is_for_the_rest() -> None:
    assert load(FILE).notices == ()
    assert load("routes: [{max_lines: 1, model: a}]").notices == ()


def test_a_share_of_nothing_turns_the_split_off() -> None:
    assert load("ab_split: {model: b, share: 0}").ab_split is None
    assert load(FILE, env={"REVIEWBOT_AB_SPLIT": "b=0"}).ab_split is None
    assert load("ab_split: null").ab_split is None


@pytest.mark.parametrize("bound", ["lines", "change_lines"])
def test_a_route_may_match_exactly_one_size(bound: str) -> None:
    (route,) = load(f"routes: [{{min_{bound}: 3, max_{bound}: 3, model: a}}]").routes
    assert (getattr(route, f"min_{bound}"), getattr(route, f"max_{bound}")) == (3, 3)


# --- What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "jobs: 1\nroutes:\n  - model: a",
            ".reviewbot.yml:3: routes[0]: needs one of paths, categories, min_lines, max_lines,"
            " min_change_lines, max_change_lines",
        ),
        ("routes:\n- paths: [a]", ".reviewbot.yml:2: routes[0]: needs model"),
        (
            "routes:\n- paths: [a]\n  model: x\n- max_lines: 2\n  model: x\n  min_lines: 3",
            ".reviewbot.yml:4: routes[1].max_lines: must be at least min_lines (3), or the route"
            " matches no file",
        ),
        (
            "routes:\n- {max_change_lines: 2, min_change_lines: 3, model: x}",
            ".reviewbot.yml:2: routes[0].max_change_lines: must be at least min_change_lines (3)",
        ),
        (
            "routes:\n- categories: [doc]\n  model: x",
            ".reviewbot.yml:2: routes[0].categories[0]: must be one of docs, tests, config,",
        ),
        ("routes:\n- {path: [a], model: x}", "2: routes[0].path: is not a setting; did you mean"),
        (
            "routes:\n- categories: [docs]\n  modle: x",
            ".reviewbot.yml:3: routes[0].modle: is not a setting; did you mean model?",
        ),
        ("routes:\n- {paths: [], model: x}", "2: routes[0].paths: must be a list of 1 or more"),
        ("routes:\n- {max_lines: -1, model: x}", "routes[0].max_lines: must be at least 0, not -1"),
        ("routes: {docs: x}", "1: routes: must be a list, not a mapping"),
        ("ab_split: {model: x}", "1: ab_split: needs share"),
        ("ab_split:\n  model: x\n  share: 10", "3: ab_split.share: must be at most 1, not 10"),
        ("ab_split: {model: x, share: 1, by: day}", "ab_split.by: must be one of file, change"),
    ],
)
def test_a_wrong_route_or_split_gets_one_sentence_with_its_line_and_key(
    text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REVIEWBOT_ROUTES", "docs", "must be CATEGORY=MODEL, several separated by commas"),
        ("REVIEWBOT_ROUTES", "docs=a,", "must be CATEGORY=MODEL, several separated by commas"),
        ("REVIEWBOT_ROUTES", "=a", "must be CATEGORY=MODEL"),
        (
            "REVIEWBOT_ROUTES",
            "docs=a,doc=b",
            "routes[1].categories[0]: must be one of docs, tests,",
        ),
        ("REVIEWBOT_AB_SPLIT", "b", "must be MODEL=SHARE with a share from 0 to 1, not 'b'"),
        ("REVIEWBOT_AB_SPLIT", "b=10", "must be MODEL=SHARE with a share from 0 to 1"),
        ("REVIEWBOT_AB_SPLIT", "b=nan", "must be MODEL=SHARE with a share from 0 to 1"),
        ("REVIEWBOT_AB_SPLIT", "=0.5", "must be MODEL=SHARE with a share from 0 to 1"),
        ("REVIEWBOT_AB_SPLIT", "b" * 300 + "=1", "ab_split.model: must be text of at most 200"),
    ],
)
def test_a_wrong_variable_gets_one_sentence_with_its_name(
    name: str, value: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(env={name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match=f"{name} in .env"):
        load(dotenv={name: value})


# --- Where a key may go


ELSEWHERE = [f"base_url: '{EVIL}'", "api_key_env: AWS_SECRET"]


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize(
    "text",
    [
        "routes: [{{max_lines: 1, model: {}}}]",
        "routes: [{{max_lines: 1, model: a, fallback_models: [b, {}]}}]",
        "ab_split: {{share: 1, model: {}}}",
        "ab_split: {{share: 1, model: a, fallback_models: [{}]}}",
    ],
)
def test_a_file_of_the_repository_chooses_models_but_not_who_gets_a_key(
    text: str, where: str
) -> None:
    text = text.format(f"{{name: x, {where}}}")
    with pytest.raises(ConfigError, match="is not read from a file that was found"):
        load(text)
    load(text, trusted=True)


def test_every_place_of_a_model_is_guarded() -> None:
    places = {path[:-1] for path in USER_ONLY if path[-1] == "api_key_env"}
    assert places == {path[:-1] for path in USER_ONLY if path[-1] == "base_url"} - {()}
    assert places == {
        ("fallback_models", "*"),
        ("verify_model",),
        ("routes", "*", "model"),
        ("routes", "*", "fallback_models", "*"),
        ("ab_split", "model"),
        ("ab_split", "fallback_models", "*"),
    }


def test_an_address_from_dotenv_never_meets_a_key_from_the_environment_in_a_route_either() -> None:
    with pytest.raises(ConfigError, match="would receive the ANTHROPIC_API_KEY"):
        load(
            "model: offline\nroutes: [{max_lines: 1, model: a}]",
            env={"ANTHROPIC_API_KEY": KEY},
            dotenv={"ANTHROPIC_BASE_URL": EVIL},
        )
