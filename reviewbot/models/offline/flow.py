"""Follow values backwards from a dangerous use to their source, within one function.

A rule names its dangerous uses, the sinks. From each of them the definitions of the variables are
followed up to an expression that a request contains. What passes through an unknown function, a
comparison or a table is not followed: it may be safe. A variable that a condition checks is safe.

Only :mod:`reviewbot.models.offline.worker` may run this on text of a pull request.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from reviewbot.core.late_pattern import late_pattern
from reviewbot.models.offline.assignments import Scopes, is_function, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ast_grep_py import Config, SgNode

_MAX_SINKS: Final = 100
_MAX_STEPS: Final = 150
_MAX_PATH: Final = 12
"""Bounds for one rule on one hunk, for one sink, and for the steps from a sink to a source."""
_CHECKED_CHARS: Final = 20_000

_NAMES: Final = frozenset(
    ["identifier", "variable_name", "instance_variable", "shorthand_property_identifier"]
)
_MEMBERS: Final = frozenset(
    [
        "attribute",
        "member_expression",
        "member_access_expression",
        "nullsafe_member_access_expression",
        "subscript",
        "subscript_expression",
        "element_reference",
        "selector_expression",
        "index_expression",
        "slice_expression",
        "field_access",
        "array_access",
    ]
)
_CALLS: Final = frozenset(
    [
        "call",
        "call_expression",
        "function_call_expression",
        "member_call_expression",
        "nullsafe_member_call_expression",
        "scoped_call_expression",
        "new_expression",
        "object_creation_expression",
        "method_invocation",
    ]
)
_TEXTS: Final = frozenset(
    [
        "string",
        "concatenated_string",
        "template_string",
        "encapsed_string",
        "heredoc",
        "heredoc_body",
        "subshell",
        "shell_command_expression",
    ]
)
_BINARY: Final = frozenset(["binary_operator", "binary_expression", "binary", "boolean_operator"])
_TERNARY: Final = frozenset(["conditional_expression", "ternary_expression", "conditional"])
_STOPS: Final = late_pattern(
    "comparison|^not_operator|unary|^(composite_literal|array_initializer|dictionary|object|hash|list|array|array_creation_expression|"
    "tuple|set|match_expression|lambda|cast_type|type|type_annotation|predefined_type|format_specifier|"
    r"type_conversion|block|do_block|jsx_\w+|\w*comprehension|generator_expression)$"
)
_LISTS: Final = late_pattern("^(list|array|array_creation_expression|tuple)$")
_OPERATORS: Final = frozenset(("+", ".", "%", "||", "&&", "??", "or", "and", "/"))
_PASTES: Final = frozenset(("+", ".", "%", "/"))
_BUILDS: Final = late_pattern(
    "^(format|formatted|sprintf|vsprintf|Sprintf?|Sprintln|join|Join|JoinPath|implode|concat|joinpath|append|"
    "Path|PurePath|resolve|File|\\w+_path)$"
)
# Functions and methods whose result is as dangerous as what they are given.
_PASSES: Final = late_pattern(
    r"^(str|String|bytes|repr|format|v?sprintf|join|implode|concat|l?strip|rstrip|[lr]?trim|"
    r"trim(End|Start)|lower|upper|to(Lower|Upper)Case|to(String|_s|_str|_sym|_h)|strto(lower|upper)|"
    r"downcase|upcase|capitalize|ucfirst|title|replace(All)?|str_replace|g?sub|encode|decode|"
    r"decodeURI(Component)?|unquote(_plus)?|(raw)?urldecode|base64_decode|b64decode|atob|"
    r"(strict_|urlsafe_)?decode64|from|unescape|decompress|inflate|gz(inflate|uncompress|decode)|split(lines)?|explode|slice|subst(r|ring)|get|"
    r"get_?list|fetch|dig|pop|at|first|last|presence|dup|freeze|force_encoding|chomp|squish|strip|"
    r"Path|PurePath|joinpath|resolve|normalize|read|copy|text|URL|URI|parse|urljoin|unwrap|"
    r"StringIO|BytesIO|new|formatted|valueOf|append|of|getBytes|orElse\w*|getValue|File|"
    r"StringBuilder|StringBuffer|ByteArrayInputStream|InputStreamReader|BufferedReader|toPath|"
    r"Sprintf?|Sprintln|Join|JoinPath|Clean|Trim\w*|ToLower|ToUpper|Replace(All)?|Fields|Split\w*|"
    r"nl2br|items|values|entries|\w+_path|(Path|Query)?Unescape|DecodeString|NewDecoder|NewReader|NewBufferString|ReadAll|String|Bytes|HTML)$"
)
_PARTS: Final = ("items", "values", "entries")
"""Methods that return the parts of a container; in JavaScript functions of ``Object``."""
_GETTER: Final = late_pattern(
    r"^get(?!\w*(Id|Class|Size|Length|Count|Limit|Offset|Page|Number|Type|Status|State|Table\w*|Column\w*)$)[A-Z]\w*$"
)
"""Methods of Java that return a text of their object, if they have no arguments."""
_NUMBER_CAST: Final = late_pattern(r"\(\s*(int|integer|float|double|bool|boolean)\s*\)")
_CLEANS: Final = late_pattern(
    r"""\[\^[^\n]*,\s*["'`][-_ ]?["'`]\s*\)$|&|\\W|\.\.|["'/\[\\]<[\]"'/>]|\\\\"""
)
"""Arguments of a replacement that removes what is dangerous."""
_HARMLESS: Final = late_pattern(r"""\b(length|size|tmp_name|error|count)(["']\])?$""")
_NUMBERS: Final = late_pattern(
    r"\b(u?int(8|16|32|64)?|float(32|64)?|bool|boolean|number|long|short|double|Long|Duration|Time|LocalDate|Instant|bigint|Decimal|UUID|date|datetime|Date|Enum|Literal|Integer)\b"
    r"|=\s*(\d|true\b|false\b|True\b|False\b)|:\s*\d"
)
_PROVIDED: Final = late_pattern(
    r"Depends|Session|Service|\b(Http\w*|Servlet|Web|Native\w*)?Request\b|"
    r"^(self|cls|request|req|ctx|context|session|db|conn|pk|id|\w+_id|user|current_user)\b"
)
"""Declarations of parameters of handlers that the framework provides."""
_OPENING: Final = late_pattern(r"""[rbf]*["'`]*(https?://|(?i:location:)\s*)?["'`]*$""")
"""The beginning of a text that may be followed by the name of a host."""
_FORMAT: Final = late_pattern(r"""["`'](https?://)?%""")
_COMPARES: Final = r"""(?:[=<>]|(?i:like)) *['"]?%?(?:\$?\{|['"`] *[.+] *\$?\w|\$\w)"""
"""A part of a statement of SQL that a value is pasted into."""
_LITERAL: Final = late_pattern("^string(_content|_fragment|_literal)?$")
_CHECK: Final = (
    r"(?:\b(?:includes|has|test|exec|in_array|preg_match|array_key_exists|hasOwn\w*|key\?|"
    r"\w*starts?_?[wW]ith|str_contains|strpos|parse_url|include\?|member\?|cover\?|match\??|fullmatch|is_(?!string|null|array|object|resource)\w+|isInteger|isSafe\w*|isFinite|ctype_\w+|"
    r"\w*[vV]alid\w*|\w*[cC]heck\w*|\w*[sS]afe\w*|\w*[aA]ssert\w*|\w*[sS]anit\w*|\w*[aA]llow\w*|"
    r"\w*[vV]erif\w*|\w*[eE]nsure\w*|commonpath|relative)(?!\w)\s*\(?[^()\n;]{0,60}?{name})"
    r"|(?<!for )(?<!, ){name}\s+(?:not\s+)?in\s|{name}\s*(?:[!=]==?|=~|!~)\s*[\"'/:]\w"
    r"|{name}\.(?:startsWith|startswith|start_with\?|is_relative_to|relative_to|isdigit|isalnum|"
    r"isidentifier|isdecimal|match|in\?|test|endswith)\b|\b(?:switch|case|match)\s*\(?\s*{name}"
    r"|\[{name}\]|\b(?:HasPrefix|HasSuffix|Contains(?:Any|Rune)?|IsLocal|MatchString|Match|contains|matches|"
    r"containsKey|Rel)\([^()\n;]{0,60}?{name}|{name}\.(?:contains|matches|normalize)\b|"
    r"\"\.?equals\({name}|{name}\.equals\(\""
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What a rule looks for.

    ``sinks`` is a matcher of ast-grep that binds ``$SINK``, and ``$OTHER`` if there are two values.
    ``sources`` is a pattern of the whole text of an expression. ``parameters`` is a pattern of
    names of parameters and their members that are sources if they are pasted into a text. ``text``
    must be found in the use or in the text that is built. ``clean`` is a pattern of text that makes
    a use safe. ``handlers`` is a pattern of the head of a function whose parameters are sources.
    ``whole`` finds only values that an address begins with. ``unchecked`` ignores conditions: no
    check makes the value safe. ``at_sink`` reports the sink rather than the text.
    """

    sinks: Mapping[str, Any]
    sources: str
    parameters: str = ""
    text: str = ""
    clean: str = ""
    handlers: str = ""
    whole: bool = False
    unchecked: bool = False
    at_sink: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    node: SgNode
    path: tuple[SgNode, ...] = ()
    names: tuple[str, ...] = ()
    in_list: bool = False
    origin: SgNode | None = None


def find_flows(root: SgNode, language: str, flow: Flow) -> Iterator[tuple[SgNode, ...]]:
    """Yield the nodes of each dangerous use, the one to report first."""
    scopes = Scopes(root, language)
    for count, match in enumerate(root.find_all(cast("Config", {"rule": flow.sinks}))):
        if count == _MAX_SINKS:
            return
        for sink in filter(None, map(match.get_match, ("SINK", "OTHER"))):
            if flow.clean and re.search(flow.clean, sink.text()):
                continue
            found = _Tracer(scopes, flow, match, sink).trace()
            if found is not None:
                places, origin = found
                yield (match, *places, *origin) if flow.at_sink else (*places, match, *origin)
                break


class _Tracer:
    """Tracer of one sink."""

    def __init__(self, scopes: Scopes, flow: Flow, use: SgNode, sink: SgNode) -> None:
        self._scopes, self._flow, self._use, self._sink = scopes, flow, use, sink
        self._sources = re.compile(flow.sources) if flow.sources else None
        self._seen: set[tuple[int, int, str]] = set()
        self._texts: list[str] = []

    def trace(self) -> tuple[list[SgNode], list[SgNode]] | None:
        """Return the nodes that paste the value into a text, and the assignment of its source.

        None if there is no source.
        """
        queue = deque([_Step(self._sink)])
        self._texts.append(self._sink.text())
        ends: list[_Step] = []
        while queue and len(self._seen) < _MAX_STEPS:
            step = queue.popleft()
            place = span(step.node)
            if (*place, step.node.kind()) in self._seen or len(step.path) > _MAX_PATH:
                continue
            self._seen.add((*place, step.node.kind()))
            if self._is_source(step):
                ends.append(step)
            else:
                queue.extend(self._next(step))
        text = " ".join(self._texts)
        if self._flow.text and not re.search(self._flow.text, f"{self._use.text()} {text}"):
            return None
        if self._flow.clean and re.search(self._flow.clean, text):
            return None
        return next((self._places(one) for one in ends if not self._is_checked(one)), None)

    def _places(self, step: _Step) -> tuple[list[SgNode], list[SgNode]]:
        """Return the texts on the way, those that look like the wanted one first."""
        places = list(reversed(step.path))
        if self._flow.text:
            wanted = re.compile(f"{self._flow.text}|{_COMPARES}")
            places.sort(key=lambda node: not wanted.search(node.text()))
        return places, [step.origin] if step.origin else []

    def _is_source(self, step: _Step) -> bool:
        node, kind = step.node, step.node.kind()
        if kind in _NAMES:
            return self._is_parameter(step)
        if kind not in _MEMBERS and kind not in _CALLS:
            return False
        return bool(self._sources and self._sources.fullmatch(node.text()))

    def _is_parameter(self, step: _Step) -> bool:
        """Return whether a name is a value from outside: of a handler, a parameter, or by name."""
        name = step.node.text()
        if self._scopes.definitions(step.node, name):
            return False
        parameter = self._scopes.parameter(step.node, name)
        if parameter is None:
            return bool(self._sources and self._sources.fullmatch(name))
        declared, head = parameter
        if _NUMBERS.search(declared):
            return False
        handlers = self._flow.handlers
        is_given = handlers and not _PROVIDED.search(declared)
        if is_given and re.search(handlers, f"{head}\0{declared}"):
            return True
        wanted = self._flow.parameters
        return bool(wanted and step.path and re.search(wanted, " ".join((name, *step.names))))

    def _next(self, step: _Step) -> Iterator[_Step]:
        node, kind = step.node, step.node.kind()
        if kind in _NAMES or kind in _MEMBERS:
            yield from self._definitions(step)
            if kind in _MEMBERS and not _HARMLESS.search(node.text()):
                owner = node.field("object") or node.named_children()[0]
                yield replace(step, node=owner, names=(*step.names, node.text()))
        elif kind in _CALLS:
            yield from self._through_call(step)
        elif kind == "heredoc_beginning":
            body = self._scopes.heredoc(node)
            if body is not None:
                self._texts.append(body.text())
                yield replace(step, node=body)
        else:
            yield from self._through_operator(step)

    def _through_operator(self, step: _Step) -> Iterator[_Step]:
        node, kind = step.node, step.node.kind()
        if kind in _BINARY:
            operator = node.field("operator")
            sign = operator.text() if operator else "or"
            if sign in _OPERATORS:
                yield from self._parts(step, pastes=sign in _PASTES)
        elif kind in _TERNARY:
            children = node.named_children()
            condition = span(node.field("condition") or children[1])
            for child in children:
                if span(child) != condition or len(children) == 2:  # of a ?: b, a is a value
                    yield replace(step, node=child)
        elif self._is_transparent(step):
            yield from self._parts(step, pastes=kind in _TEXTS)

    def _is_transparent(self, step: _Step) -> bool:
        """Return whether a part of a node can be its value."""
        node, kind = step.node, step.node.kind()
        if is_function(node) or (kind == "cast_expression" and _NUMBER_CAST.match(node.text())):
            return False
        return not _STOPS.search(kind) or (step.in_list and bool(_LISTS.search(kind)))

    def _parts(self, step: _Step, *, pastes: bool) -> Iterator[_Step]:
        """Yield the parts of a text; with ``whole`` only the one that it begins with."""
        children = step.node.named_children()
        if self._flow.whole and pastes:
            children = [one for one in children if not _OPENING.match(one.text())][:1]
            children = [one for one in children if not _LITERAL.search(one.kind())]
        for child in children:
            path = (*step.path, step.node) if pastes else step.path
            yield replace(step, node=child, path=path, in_list=False)

    def _definitions(self, step: _Step) -> Iterator[_Step]:
        name = step.node.text()
        names = (*step.names, name)
        for one in self._scopes.definitions(step.node, name):
            self._texts.append(one.value.text())
            path = (*step.path, one.statement) if one.adds else step.path
            yield _Step(one.value, path, names, step.in_list, one.statement)

    def _through_call(self, step: _Step) -> Iterator[_Step]:
        node = step.node
        callee = node.field("function") or node.field("name") or node.field("method")
        callee = callee or node.field("constructor") or node.field("type")
        arguments = node.field("arguments")
        callee_text = callee.text() if callee else ""
        words = re.findall(r"[\w?!]+", callee_text[-60:])
        name = words[-1] if words else ""
        if not _PASSES.match(name) and not self._is_getter(node, name):
            return
        given = arguments.named_children() if arguments else []
        if name in _PARTS and given and not callee_text.startswith("Object."):
            return  # values(name=...) of a query builder
        if name in ("replace", "replaceAll", "str_replace", "gsub", "sub") and (
            arguments is None or _CLEANS.search(arguments.text())
        ):
            return
        # A replacement that adds markup makes HTML of the text.
        markup = name.startswith("replace") and arguments is not None and "<" in arguments.text()
        builds = markup or bool(_BUILDS.match(name))
        path = (*step.path, node) if builds else step.path
        receiver = node.field("receiver") or node.field("object")
        if receiver is None and callee is not None and callee.kind() in _MEMBERS:
            receiver = callee.field("object") or callee.field("operand")
        if arguments is not None and arguments.kind() == "generator_expression":
            given = given[:1]
        if builds and self._flow.whole and given and not _FORMAT.match(given[0].text()):
            given = given[:1]  # only the beginning of an address counts
        for one in (receiver, *given):
            if one is not None:
                yield replace(step, node=one, path=path, in_list=builds)

    def _is_getter(self, node: SgNode, name: str) -> bool:
        arguments = node.field("arguments")
        return (
            node.kind() == "method_invocation"
            and bool(_GETTER.match(name))
            and arguments is not None
            and not arguments.named_children()
        )

    def _is_checked(self, step: _Step) -> bool:
        """Return whether the code before the sink checks a variable on the way."""
        known = (*step.names, step.node.text()) if step.node.kind() in _NAMES else step.names
        names = [re.escape(name) for name in known if len(name) > 1]
        if not names or self._flow.unchecked:
            return False
        before = self._scopes.text_before(self._sink)[-_CHECKED_CHARS:]
        name = rf"(?<![\w.]){'(?:' + '|'.join(names) + ')'}(?!\w)"
        return bool(re.search(_CHECK.replace("{name}", name), before))
