"""The verifier in the App looks code up beyond the diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_anthropic.verdicts import after_lookups
from tests.github.app_runs import app_server
from tests.support.github_stories import titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub

READ = ("read_code", {"path": "shop/tax.py", "first": 1, "last": 9})
FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"from .tax import rate_of\n\n\ndef charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
BASE = {"shop/use.py": USE, "shop/tax.py": "def rate_of(order):\n    return order.rate\n"}


async def test_a_definition_in_an_unchanged_file_is_looked_up(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    model.verify = after_lookups(READ)
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, verify=True) as server:
        pull = github.pull(base=BASE, head=BASE | {"shop/use.py": NEW})
        await server.settle()
    (_, request) = model.verifications
    [result] = request.results
    heading = '=== file "shop/tax.py", unchanged, lines 1 to 2 of 2'
    assert f"{heading}\nR1 |def rate_of(order):" in result["content"]
    assert len(titles(pull)) == 1
