"""Rules of a repository, from the base of a pull request, so that it has no say in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reviewbot.config.file import parse_config
from reviewbot.github.client.errors import TooLargeError
from reviewbot.pipeline.custom_rules import (
    FOLDER,
    MOST_BYTES,
    check_number,
    is_rule_file,
    load_custom_rules,
    too_large_error,
)

if TYPE_CHECKING:
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.change.base_files import BaseFiles
    from reviewbot.models.offline.parser import Parser


async def base_rules(
    api: Api, repo: str, base: BaseFiles, parser: Parser | None = None
) -> tuple[dict[str, Any], ...]:
    """Return the rules of the base branch, and check those that its configuration names.

    Each file is one request. Files that have not changed do not count against the rate limit.

    ``repo`` is the repository of the base (``OWNER/REPO``), never that of the head. Without a
    ``parser``, a separate process runs the cases.

    Raises:
        ConfigError: a rule is invalid, or the configuration names a rule that does not exist.
        GitHubError: GitHub refuses, or does not respond.
    """

    def name_of(path: str) -> str:
        return f"{path} of {base.branch}"

    blobs = await api.contents.folder(repo, FOLDER, base.commit)
    paths = {f"{FOLDER}/{name}": sha for name, sha in blobs.items() if is_rule_file(name)}
    check_number(list(paths), source=name_of(FOLDER))
    files: dict[str, bytes] = {}
    for path, sha in paths.items():
        try:
            files[path] = await api.contents.blob(repo, sha, max_bytes=MOST_BYTES)
        except TooLargeError:
            raise too_large_error(name_of(path)) from None
    rules = await load_custom_rules(files, parser, name_of=name_of)
    if base.config is not None:
        name, text = base.config
        ids = [str(rule["id"]) for rule in rules]
        parse_config(text, name=name, trusted=False, custom_ids=ids)
    return rules
