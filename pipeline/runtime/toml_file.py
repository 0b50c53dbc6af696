"""TOML files that people write, read into pydantic dataclasses: one message names what is wrong.

    @dataclass(frozen=True, config=TABLE)
    class Reward:
        event: OneOf(EVENT_TYPES) = "view"
        within_hours: Number = 24.0

    reward = checked(file, parsed(file, CampaignError), Reward, CampaignError)

Every key must be known and right; a message reads `FILE: reward.event: expected one of …, found 'buy'`.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from math import inf
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import custom_error_schema

from pipeline.runtime.errors import TidemarkError

T = TypeVar("T")

TABLE = ConfigDict(extra="forbid")  # of a dataclass that is a table of a file
UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")  # of a dataclass, of a model


@dataclass(frozen=True)
class Expected:
    """Annotates a type with the words for it: whatever is wrong with a value, this was expected."""

    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return custom_error_schema(handler(source), "expected", custom_error_message=self.words)


def expected(words: str, found: object, *keys: str) -> PydanticCustomError:
    """For validators: what is wrong with the value, or with what `keys` below it hold."""
    return PydanticCustomError("expected", words, {"found": found, "keys": keys})  # type: ignore[arg-type]


def must(holds: Callable[[Any], object], words: str) -> AfterValidator:
    """A check of a value that is of the right type."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise expected(words, value)
        return value

    return AfterValidator(check)


def one_of(known: Collection[str]) -> AfterValidator:
    return must(known.__contains__, f"one of {', '.join(known)}")


def named(pattern: re.Pattern[str], what: str = "a name") -> AfterValidator:
    return must(pattern.fullmatch, f"{what} like {pattern.pattern}")


def _iso(value: object) -> str:
    if type(value) is not date:
        raise ValueError
    return value.isoformat()


Text = Annotated[str, Strict(), Field(pattern=r"\S"), Expected("a text")]
Texts = Annotated[tuple[Annotated[str, Strict()], ...], Expected("a list of str")]
Flag = Annotated[bool, Strict(), Expected("true or false")]
Day = Annotated[str, BeforeValidator(_iso), Expected("a date such as 2011-11-09, without quotes")]
Real = Annotated[int, Strict()] | Annotated[float, Strict()]
Number = Annotated[Real, Field(ge=0, lt=inf), Expected("a number from 0")]
Share = Annotated[Real, Field(ge=0, le=1), Expected("a number from 0 to 1")]
Whole = Annotated[int, Strict(), Field(ge=0), Expected("a whole number from 0")]
AboveZero = Annotated[int, Strict(), Field(ge=1), Expected("a whole number from 1")]


def parsed(file: Path, error: type[TidemarkError]) -> dict[str, Any]:
    """The file as it is. Raises `error` when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{file}: not valid TOML: {problem}; correct the file") from None
    except OSError as problem:
        raise error(f"{file}: cannot be read: {problem.strerror}") from None


def checked(file: Path, content: dict[str, Any], kind: type[T], error: type[TidemarkError]) -> T:
    """The content as a dataclass of config TABLE. Raises `error` for the first key that is wrong."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as problems:
        raise error(f"{file}: {_message(kind, problems.errors(include_url=False)[0])}") from None


def wrong(file: Path, key: str, words: str, found: object, error: type[TidemarkError]) -> TidemarkError:
    """The error for what no dataclass can check."""
    return error(f"{file}: {key}: expected {words}, found {found!r}")


def _message(kind: type, problem: ErrorDetails) -> str:
    """Pydantic's first problem in our words."""
    context, found = problem.get("ctx", {}), problem["input"]
    keys = [str(key) for key in problem["loc"] if key != "[key]"]
    if problem["type"] == "expected":
        words, found = problem["msg"], context.get("found", found)
        keys += context.get("keys", ())
    elif problem["type"] == "missing":
        words, found = _words(kind, keys), None
    elif problem["type"] in UNKNOWN_KEY:
        words = f"no such key; known are {', '.join(_fields(kind, keys[:-1]))}"
    else:  # what is no table
        words = f"a table [{keys[-1]}]"
    return f"{'.'.join(keys)}: expected {words}, found {found!r}"


def _words(kind: type, keys: list[str]) -> str:
    """What is expected at a key that is missing."""
    field = _fields(kind, keys[:-1])[keys[-1]]
    described = (it.words for it in field.metadata if isinstance(it, Expected))
    return next(described, f"a table [{keys[-1]}]")


def _fields(kind: Any, keys: Iterable[str]) -> dict[str, Any]:
    """The fields of the dataclass at a path."""
    for key in keys:
        fields = getattr(kind, "__pydantic_fields__", None)
        kind = fields[key].annotation if fields else get_args(kind)[-1]  # or the values of a mapping
        if get_origin(kind) in (Union, UnionType):
            kind = get_args(kind)[0]  # a table that may be left out
    return dict(kind.__pydantic_fields__)
