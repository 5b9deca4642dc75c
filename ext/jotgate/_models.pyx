"""Claims as a msgspec Struct, a pydantic model or a dataclass, without needing any of them.

msgspec and pydantic check by their own rules. A dataclass is filled by a few plain rules of ours. What a model says
about values it refuses is never passed on: such messages quote the values.
"""

import sys

from jotgate.errors import InvalidClaimError, MissingClaimError


cpdef object build_model(object model, bytes payload, dict claims):
    """Return claims as an instance of ``model``; as ``VerifiedToken.into``.

    Args:
        model: A msgspec ``Struct``, a pydantic model, or a dataclass.
        payload: The claims as strict JSON.
        claims: The same, parsed, and nobody else's.
    """
    if isinstance(model, type):
        # a struct can only exist where msgspec is already imported
        if hasattr(model, "__struct_fields__") and "msgspec" in sys.modules:
            return build_struct(sys.modules["msgspec"], model, payload)
        if hasattr(model, "__pydantic_validator__"):
            return build_pydantic(model, claims)
        if hasattr(model, "__dataclass_fields__"):
            return build_dataclass(model, claims)
    raise TypeError("into() takes a msgspec Struct, a pydantic model or a dataclass")


cdef object misfit(object model):
    return InvalidClaimError(f"the claims do not fit {model.__name__}", "wrong_type")


cdef object build_struct(object msgspec, object model, bytes payload):
    try:
        return msgspec.json.decode(payload, type=model)
    except msgspec.MsgspecError:
        pass
    raise misfit(model)


cdef object build_pydantic(object model, dict claims):
    from pydantic import TypeAdapter, ValidationError
    try:
        return TypeAdapter(model).validate_python(claims)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # where it happened is safe to tell if it is a name of the model's, not of the token's; what happened quotes values
    field = next((step for step in first["loc"][:1] if step in field_names(model)), None)
    if first["type"] == "missing" and len(first["loc"]) == 1:
        raise MissingClaimError(f"a field of {model.__name__} has no default and no claim", "missing_claim", field)
    raise InvalidClaimError(f"a claim does not fit its field of {model.__name__}", "wrong_type", field)


cdef set field_names(object model):
    names = set()
    for name, field in getattr(model, "__pydantic_fields__", {}).items():
        names.update((name, field.alias, field.validation_alias if type(field.validation_alias) is str else None))
    return names


cdef object build_dataclass(object model, dict claims):
    """Fill the init fields that have a claim of their name; a claim without a field is left out."""
    from dataclasses import MISSING, fields
    from typing import get_type_hints
    hints = get_type_hints(model)
    arguments = {}
    for field in fields(model):
        if not field.init:
            continue
        if field.name in claims:
            try:
                arguments[field.name] = fitted(claims[field.name], hints[field.name])
            except MisfitError:
                pass
            else:
                continue
            raise InvalidClaimError(f"a claim does not fit its field of {model.__name__}", "wrong_type", field.name)
        if field.default is MISSING and field.default_factory is MISSING:
            raise MissingClaimError(
                f"a field of {model.__name__} has no default and no claim", "missing_claim", field.name
            )
    return model(**arguments)


class MisfitError(Exception):
    """A value is not of the annotated type; carries nothing."""


cdef object fitted(object value, object hint):
    """The value as the annotation wants it. JSON types are not converted: an int is taken for a float, nothing else."""
    from types import NoneType, UnionType
    from typing import Any, Literal, Union, get_args, get_origin
    if hint is Any or hint is object:
        return value
    if hint in (str, int, float, bool, dict, list) or hint is NoneType:
        if type(value) is hint:
            return value
        if hint is float and type(value) is int:
            return float(value)
        raise MisfitError
    origin = get_origin(hint)
    options = get_args(hint)
    if origin is Union or origin is UnionType:
        for option in options:
            try:
                return fitted(value, option)
            except MisfitError:
                continue
        raise MisfitError
    if origin is Literal:
        for option in options:
            if type(value) is type(option) and value == option:
                return value
        raise MisfitError
    if hasattr(hint, "__dataclass_fields__"):
        if type(value) is not dict:
            raise MisfitError
        return build_dataclass(hint, value)
    return fitted_container(value, hint, origin, options)


cdef object fitted_container(object value, object hint, object origin, tuple options):
    if origin is list and type(value) is list:
        return [fitted(item, options[0]) for item in value]
    if (origin is set or origin is frozenset) and type(value) is list:
        try:
            return origin([fitted(item, options[0]) for item in value])
        except TypeError:               # an array or object among them, which is not hashable
            raise MisfitError from None
    if origin is tuple and type(value) is list:
        if len(options) == 2 and options[1] is Ellipsis:
            return tuple([fitted(item, options[0]) for item in value])
        if len(options) != len(value):
            raise MisfitError
        return tuple([fitted(item, option) for item, option in zip(value, options)])
    if origin is dict and options[0] is str and type(value) is dict:
        return {name: fitted(item, options[1]) for name, item in value.items()}
    if origin in (list, set, frozenset, tuple, dict):
        raise MisfitError
    raise TypeError(f"into() cannot fill a field annotated {hint!r}; use msgspec or pydantic for such models")
