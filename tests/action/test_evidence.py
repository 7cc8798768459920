"""The verifier in the Action looks code up beyond the diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_anthropic.verdicts import after_lookups
from tests.support.github_stories import titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

READ = ("read_code", {"path": "shop/tax.py", "first": 1, "last": 9})
FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"from .tax import rate_of\n\n\ndef charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
TAX = "def rate_of(order):\n    return order.rate\n"
CONFIG = {".reviewbot.yml": "summary: false\nverify: true\n"}
BASE = CONFIG | {"shop/use.py": USE, "shop/tax.py": TAX}


def fetched(github: FakeGitHub) -> list[str]:
    """The files of the head that were asked for."""
    paths = [one.path.rpartition("/contents/")[2] for one in github.called("GET", "/contents/")]
    return [path for path in paths if not path.startswith(".")]


async def test_a_definition_in_an_unchanged_file_is_looked_up(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.verify = after_lookups(READ)
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
    await runner.run(pull)
    (_, request) = model.verifications
    [result] = request.results
    heading = '=== file "shop/tax.py", unchanged, lines 1 to 2 of 2'
    assert f"{heading}\nR1 |def rate_of(order):" in result["content"]
    assert len(titles(pull)) == 1


async def test_a_review_without_findings_fetches_no_imported_file(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    clean = NEW.replace("  # BUG error Crash in `rate_of`", "")
    pull = github.pull(base=BASE, head=BASE | {"shop/use.py": clean})
    await runner.run(pull)
    assert not model.verifications
    assert fetched(github) == ["shop/use.py"]
