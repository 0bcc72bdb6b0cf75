"""What all models share: unknown fields are kept, and pydantic 1's names are spoken, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Self, TypeAlias, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic.main import IncEx

Fields: TypeAlias = "dict[str, object]"
"""A model as a dict; within a model, `dict` is the method."""


class Model(BaseModel):
    """Keeps what the document does not name, and answers to the names of pydantic 1."""

    model_config = ConfigDict(extra="allow", validate_by_name=True, validate_by_alias=True)

    def dict(
        self,
        *,
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> Fields:
        """Write the model as a dict; the same as `model_dump`."""
        return self.model_dump(
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )

    # Narrower than pydantic's own: `encoder` and `models_as_dict` mean nothing any more.
    def json(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        *,
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        indent: int | None = None,
    ) -> str:
        """Write the model as JSON; the same as `model_dump_json`."""
        return self.model_dump_json(
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
            indent=indent,
        )

    # Narrower than pydantic's own: a copy of some of the fields only would be no such model.
    def copy(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, update: Mapping[str, object] | None = None, deep: bool = False
    ) -> Self:
        """Copy the model, with other values where *update* has some; the same as `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    @classmethod
    def parse_obj(cls, obj: object) -> Self:
        """Read a dict; the same as `model_validate`."""
        return cls.model_validate(obj)


class Question(Model):
    """Part of a request: strict, also when a field is set later."""

    model_config = ConfigDict(validate_assignment=True)


class Answer(Model):
    """Part of an answer: a null where a value belongs is as good as nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, told: object) -> object:
        if not isinstance(told, dict):
            return told
        told = cast("Fields", told)
        if None not in told.values():
            return told
        fields = cls.model_fields
        return {
            name: value for name, value in told.items() if value is not None or name not in fields
        }


def _floored(value: object) -> object:
    """Round a fraction down, where a whole number is wanted."""
    if isinstance(value, float) and math.isfinite(value):
        return math.floor(value)
    return value


Count: TypeAlias = Annotated[int, BeforeValidator(_floored)]
"""A whole number; of a fraction, what is whole of it."""


class Reckoning(Answer):
    """Holds amounts that the document has whole, and some servers do not."""

    _told: dict[str, float] = PrivateAttr(default_factory=dict)

    @classmethod
    def _in_full(cls, told: object) -> object:
        """Fill what the server said in another dialect only."""
        return told

    @model_validator(mode="wrap")
    @classmethod
    def _keeping_fractions(cls, told: object, read: ModelWrapValidatorHandler[Self]) -> Self:
        full = cls._in_full(told)
        made = read(full)
        if isinstance(full, dict):
            values = cast("Fields", full).items()
            made._told = {n: v for n, v in values if isinstance(v, float) and math.isfinite(v)}
        return made

    def exact(self, field: str) -> float | None:
        """The number in *field*, with the fraction that the server told."""
        value = cast("float | None", getattr(self, field))
        told = self._told.get(field)
        return told if told is not None and math.floor(told) == value else value


def agreeing(told: object, *names: str) -> object:
    """Fill whichever of *names* is missing from one that is there: they mean the same."""
    if not isinstance(told, Mapping):
        return told
    fields = dict(cast("Mapping[str, object]", told))
    known = next((fields[name] for name in names if fields.get(name) is not None), None)
    return fields | {name: known for name in names if fields.get(name) is None}


def texts_in(content: object) -> str:
    """Text, or the texts of a list of parts, joined."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = [
        cast("Fields", part)
        for part in cast("Sequence[object]", content)
        if isinstance(part, Mapping)
    ]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))
