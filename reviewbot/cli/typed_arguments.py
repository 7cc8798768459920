"""Typed values of the arguments of a command."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)


def typed_arguments(kind: type[T], parsed: Mapping[str, Any]) -> T:
    """Return the parsed arguments as a dataclass whose fields have the names of the arguments.

    Arguments that the dataclass does not have are left out.

    Raises:
        KeyError: the command does not declare an argument.
    """
    return kind(**{field.name: parsed[field.name] for field in fields(kind)})
