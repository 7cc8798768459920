"""Texts that nest or repeat: what makes a grammar or a regular expression take long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.languages import _BY_EXTENSION, PARSED
from reviewbot.rules.folders import FOLDERS_OF
from reviewbot.rules.load import rules_for
from tests.fuzz.cases import text_of

if TYPE_CHECKING:
    import random

    from tests.fuzz.cases import Case, Parts

SIZES: Final = (10_000, 400_000)
OPENERS: Final = (
    *("(", "[", "{", "<", "((", "[[", "{[", "({", "[{", "<a>", "<a.b>", "<a b={", "<>", "</a>"),
    *("${", "`${", "`", "'", '"', '"""', "'''", "/*", "*/", "//", "#", "<!--", "/", "\\", "\\\n"),
    *("f'{", 'f"{', "f'''{", "rb'", "b'", "u'", "{{", "}", ")", "]", ">", "/>", "}}", "{/*"),
    *("lambda:", "lambda x:", "lambda x=", "if x:", "if (x)", "else ", "else:", "elif x:", "try:"),
    *("try{", "except:", "finally:", "while x:", "while(1)", "for x in ", "for(;;)", "with x:"),
    *("with (", "do ", "switch(x){", "case x:", "match x:", "return ", "yield ", "raise "),
    *("=>", "x=>", "()=>", "async ", "async()=>", "await ", "not ", "-", "- ", "!", "~", "+"),
    *("typeof ", "new ", "void ", "delete ", "del ", "assert ", "global ", "import ", "from ."),
    *("a+", "a-", "a*", "a**", "a/", "a<", "a>", "a=", "a:=", "a==", "a,", "a:", "a;", "a."),
    *("a.b.", "a?.", "a?", "a?b:", "a??", "a||", "a&&", "a|", "a&", "a if b else ", "a and "),
    *("a or ", "a in ", "a is ", "a(", "a[", "a[b", "a{", "a<b", "a<b>(", "a as ", "a!"),
    *("eval(", "eval(x)+", "eval(x),", "eval(x);", "exec(f'", "@a\n", "@a(", "@", "class A{"),
    *("class A:", "class A(", "def f():", "def f(", "function f(){", "function(", "()=>{", "{a:"),
    *("{'a':", "[a,", "(a,", "*", "**", "...", "...[", "<T,", "A<", "A<B|", "A extends B?"),
    *("keyof ", "infer ", "type A=", "interface A{", "enum A{", "namespace A{", "declare "),
    *("0", "0x", "1e", "1_", "\\u", "\\u{", "\\x", "\\N{", " ", "\t", " \t", "\u00a0", "\ufeff"),
    *("\u200b", "\u202e", "\u0301", "\U0001f469\u200d", "\r", "\x0c", "\x00", "\udc80", "\ud800"),
    *("<<<<<<< a\n", "=======\n", "{% ", "<?php ", "<%", "- ", "? ", "&a ", "*a ", "!!a ", "|\n"),
    *("begin ", "end ", "fn a(", "impl A{", "#[", "#if\n", "$(", "<<A\n", "let x=", "a->", "::"),
    *("SELECT (", "'; --", "[](", "![](", "**a", "~~~", "```\n", "<details>", "&#", "&amp;"),
)
CLOSERS: Final = {
    "(": ")", "[": "]", "{": "}", "<": ">", "((": "))", "[[": "]]", "{[": "]}", "({": "})",
    "[{": "}]", "<a>": "</a>", "<>": "</>", "${": "}", "`${": "}`", "f'{": "}'", "<a b={": "}/>",
    "lambda:": "0", "a(": ")", "a[": "]", "try{": "}finally{}", "()=>{": "}", "class A{": "}",
    "eval(": ")", "{a:": "}", "{'a':": "}", "[a,": "]", "(a,": ")", "{/*": "*/}", "/*": "*/",
}  # fmt: skip
GAPS: Final = ("", "", "", " ", "\n", "\n ", "x", "x\n", ";", "/**/", "  " * 300)
TAILS: Final = ("", "x", "}", ")", "]", ">", "\n", "*/", "`", "'", "\\", "\n}", "else", "\x00")
SHORT_LINES: Final = ("javascript", "css", "json", "html")
"""Languages whose files are skipped as minified if their lines are long on average."""


def nested(draw: random.Random, name: str) -> Case:
    """Return a case of one file that nests or repeats an opener."""
    languages = sorted(FOLDERS_OF) if draw.random() < 0.85 else sorted(PARSED)
    language = draw.choice(languages)
    parts = nested_text(draw, language)
    if language in SHORT_LINES:
        parts.append(
            {"repeat": "\n", "times": len(text_of(parts).encode("utf-8", "replace")) // 400}
        )
    return {"name": name, "files": {path_for(draw, language): parts}}


def nested_text(draw: random.Random, language: str) -> Parts:
    """Return a text that nests or repeats an opener beside what rules look for."""
    opener = "".join(draw.choices(OPENERS, k=draw.choice((1, 1, 1, 1, 2, 3))))
    unit = opener + draw.choice(GAPS)
    times = max(1, size_of(draw) // len(unit))
    parts: Parts = [{"repeat": unit, "times": times}]
    if draw.random() < 0.3:
        closer = CLOSERS.get(opener, draw.choice(TAILS))
        parts += [draw.choice(("", "x", "eval(x)")), {"repeat": closer, "times": times}]
    parts.append(draw.choice(TAILS))
    trigger = trigger_of(draw, language)
    if draw.random() < 0.8:
        parts.insert(0, trigger + "\n")
    else:
        parts.append("\n" + trigger)
    return parts


def trigger_of(draw: random.Random, language: str) -> str:
    """Return lines that make rules run: a match of one, or words of several."""
    if language not in FOLDERS_OF:
        return "x"
    trigger = "eval(x)" if language == "python" else "eval(x);"
    words = sorted({word for rule in rules_for(language) for word in rule.words})
    if words and draw.random() < 0.5:
        comment = "#" if language in ("python", "ruby", "yaml") else "//"
        trigger += f"\n{comment} {' '.join(draw.sample(words, draw.randint(1, len(words))))}"
    return trigger


def path_for(draw: random.Random, language: str) -> str:
    """Return a path of a file in ``language``."""
    extensions = [one for one, its in _BY_EXTENSION.items() if its == language]
    return f"src/{draw.choice(('hostile', 'page', 'a b', 'x' * 200))}.{draw.choice(extensions)}"


def size_of(draw: random.Random) -> int:
    """Return a number of characters; small ones are as frequent as large ones."""
    low, high = SIZES
    return int(low * (high / low) ** draw.random())


def hostile_edit(draw: random.Random, name: str) -> Case:
    """Return a suggestion whose check is hard."""
    language = draw.choice(sorted(PARSED))
    new = nested_text(draw, language)[1:]
    old: Parts = ["x = 1"]
    context = nested_text(draw, language) if draw.random() < 0.3 else ["y = 2"]
    return {
        "name": name,
        "edit": {
            "language": language,
            "before": [*context, "\n", *old],
            "after": [*context, "\n", *new],
            "old": old,
            "new": new,
        },
    }
