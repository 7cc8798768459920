"""Convert decoded JSON to frozen dataclasses, and check each field. Pure.

The input is the JSON form of :func:`dataclasses.asdict`. Unknown fields are ignored, and fields
with a default may be missing, so that old and new versions can read each other's files. The
metadata of a field names what an older version wrote: ``formerly`` is the former name of the field,
and ``renamed`` maps former texts to present ones. Any other invalid value is an error that names
the field.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

Decoder: TypeAlias = Callable[[object, str], object]
"""Function from a decoded JSON value and the dotted name of its field to the value."""

_LARGEST: Final = sys.float_info.max


@cache
def decoder(hint: object) -> Decoder:
    """Return the decoder for a type. It raises ``ValueError`` with the field for an invalid value.

    Args:
        hint: a dataclass, ``tuple[X, ...]``, ``dict[str, X]``, ``Mapping[str, X]``, ``X | None``,
            a ``Literal`` of strings, ``str``, ``int``, ``bool`` or ``float``.

    Raises:
        TypeError: the type is not supported.
    """
    args = get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    match get_origin(hint):
        case origin if origin is Literal:
            found = _literal(args)
        case origin if origin is tuple:
            found = _tuple(decoder(args[0]))
        case origin if origin in (dict, Mapping):
            found = _dict(decoder(args[1]))
        case origin if origin in (UnionType, Union) and args[1:] == (NoneType,):
            found = _optional(decoder(args[0]))
        case _:
            raise TypeError(f"no decoder for {hint!r}")
    return found


def _dataclass(cls: type) -> Decoder:
    hints = get_type_hints(cls)
    parts = [
        (
            field.name,
            field.metadata.get("formerly", field.name),
            _renamed(decoder(hints[field.name]), field.metadata.get("renamed")),
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(cls)
    ]

    def decode(value: object, where: str) -> object:
        if not isinstance(value, Mapping):
            raise _misfit(value, where, "an object")
        found = {}
        for name, former, part, required in parts:
            place = f"{where}.{name}" if where else name
            written = name if name in value else former
            if written in value:
                found[name] = part(value[written], place)
            elif required:
                raise ValueError(f"{place} is missing")
        made: object = cls(**found)
        return made

    return decode


def _renamed(inner: Decoder, renamed: Mapping[str, str] | None) -> Decoder:
    if not renamed:
        return inner

    def decode(value: object, where: str) -> object:
        return inner(renamed.get(value, value) if isinstance(value, str) else value, where)

    return decode


def _literal(allowed: tuple[object, ...]) -> Decoder:
    def decode(value: object, where: str) -> object:
        if not isinstance(value, str) or value not in allowed:
            raise _misfit(value, where, " or ".join(map(repr, allowed)))
        return value

    return decode


def _tuple(item: Decoder) -> Decoder:
    def decode(value: object, where: str) -> object:
        if not isinstance(value, list | tuple):
            raise _misfit(value, where, "an array")
        return tuple(item(each, f"{where}.{index}") for index, each in enumerate(value))

    return decode


def _dict(item: Decoder) -> Decoder:
    def decode(value: object, where: str) -> object:
        if not isinstance(value, Mapping):
            raise _misfit(value, where, "an object")
        return {str(key): item(each, f"{where}.{key}") for key, each in value.items()}

    return decode


def _optional(inner: Decoder) -> Decoder:
    def decode(value: object, where: str) -> object:
        return None if value is None else inner(value, where)

    return decode


def _exactly(cls: type, name: str) -> Decoder:
    def decode(value: object, where: str) -> object:
        if type(value) is not cls:  # True is an int, but not a number
            raise _misfit(value, where, name)
        return value

    return decode


def _float(value: object, where: str) -> object:
    # An integer of 400 digits is valid JSON but not a float; NaN fails both comparisons.
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not -_LARGEST <= value <= _LARGEST
    ):
        raise _misfit(value, where, "a finite number")
    return float(value)


_SCALARS: Final[Mapping[object, Decoder]] = {
    str: _exactly(str, "a string"),
    int: _exactly(int, "a whole number"),
    bool: _exactly(bool, "true or false"),
    float: _float,
}


def _misfit(value: object, where: str, wanted: str) -> ValueError:
    return ValueError(f"{where} is {value!r:.60}, not {wanted}")
