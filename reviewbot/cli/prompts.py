"""``reviewbot prompts``: the templates of the prompts, and the request that they make."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.load import read_settings
from reviewbot.config.prompt_files import read_templates
from reviewbot.config.variables import PROMPTS_DIR
from reviewbot.core.prompt.templates import TEMPLATE, prompt_version, shipped, sources
from reviewbot.core.safety.escape import show_line
from reviewbot.errors import EXIT_FINDINGS, EXIT_OK, ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

EPILOG: Final = f"""\
examples:
  reviewbot prompts list                 all files, and their version
  reviewbot prompts show system          a template
  reviewbot prompts diff ../old/prompts  changes in another folder
  git diff | reviewbot prompts render -  the whole request for a diff

The folder in {PROMPTS_DIR} replaces templates for every command.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _add(actions, "list", "list the files of the prompts, and their version")
    listing.set_defaults(perform=_list)
    show = _add(actions, "show", "print a template, or a file of examples")
    show.add_argument("name", metavar="NAME", help="such as system, or examples/python")
    show.add_argument("--shipped", action="store_true", help="that of the package")
    show.set_defaults(perform=_show)
    diff = _add(
        actions, "diff", "compare templates with those of the package; exit 1 if any differs"
    )
    diff.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help=f"default: that of {PROMPTS_DIR}"
    )
    diff.set_defaults(perform=_diff)
    render = _add(actions, "render", "print the requests for a diff; nothing is sent")
    render.add_argument(
        "diff",
        nargs="?",
        metavar="DIFF",
        help="a diff file, or - for standard input (default: a diff of the package)",
    )
    render.add_argument("--model", metavar="NAME", help="model that the request is for")
    render.add_argument("--config", type=Path, metavar="FILE", help="instead of .reviewbot.yml")
    render.set_defaults(perform=_render)
    parser.epilog = EPILOG


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)


def run(args: argparse.Namespace) -> int:
    """Run the action, and return the exit code."""
    code: int = args.perform(args)
    return code


def _list(args: argparse.Namespace) -> int:
    del args
    known, own = sources(), shipped()
    width = max(map(len, known))
    lines = [
        f"{name.ljust(width)}  {len(text):>7,} characters"
        f"{'' if own[name] == text else '  (replaced)'}"
        for name, text in known.items()
    ]
    _write("\n".join((*lines, "", f"Version {prompt_version()}.")))
    return EXIT_OK


def _show(args: argparse.Namespace) -> int:
    known = shipped() if args.shipped else sources()
    names = [args.name, f"{args.name}{TEMPLATE}", f"{args.name}.toml"]
    found = [name for name in names if name in known]
    if not found:
        near = difflib.get_close_matches(names[1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`reviewbot prompts list` lists them"
        raise ConfigError(f"there is no prompt {args.name}; {hint}")
    _write(known[found[0]].rstrip("\n"))
    return EXIT_OK


def _diff(args: argparse.Namespace) -> int:
    if args.folder is not None:
        other = read_templates(args.folder)
    else:
        other = {name: text for name, text in sources().items() if shipped()[name] != text}
    lines = list(_differences(shipped(), other))
    if not lines:
        _write("The templates are those of the package.")
        return EXIT_OK
    _write("\n".join(lines))
    return EXIT_FINDINGS


def _differences(own: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    """Yield a unified diff of each template of ``other`` that differs."""
    for name, text in other.items():
        yield from difflib.unified_diff(
            own.get(name, "").splitlines(), text.splitlines(), f"shipped/{name}", name, lineterm=""
        )


def _render(args: argparse.Namespace) -> int:
    from jinja2 import TemplateError

    try:
        _write("\n".join(_parts(args)).rstrip("\n"))
    except TemplateError as error:
        raise ConfigError(f"a template cannot be rendered: {error.message}") from error
    return EXIT_OK


def _parts(args: argparse.Namespace) -> Iterator[str]:
    """Yield the parts of each request, with headings. All requests share the first two parts."""
    from reviewbot.core.findings.report_tool import REPORT_TOOL
    from reviewbot.core.prompt.request import render
    from reviewbot.lab.subject import demo_or_file

    settings = read_settings({"model": args.model}, config=args.config)
    subject = demo_or_file(args.diff, settings)
    for number, request in enumerate(subject.requests, 1):
        prompt = render(request, profile=subject.info.prompt)
        if number == 1:
            yield f"##### tool of every request\n\n{json.dumps(REPORT_TOOL, indent=2)}\n"
            yield f"##### system of every request\n\n{prompt.system}\n"
        for name, text in (("shared", prompt.shared), ("body", prompt.body)):
            yield f"##### {name} of request {number} of {len(subject.requests)}\n\n{text}\n"


def _write(text: str) -> None:
    sys.stdout.write("".join(f"{show_line(line)}\n" for line in text.split("\n")))
