"""Hypothesis strategies for everything that can stand on the wire, drawn from the frames' own types."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from hypothesis import strategies as st

from sonde_protocol.frames import ClientFrame, Frame, ServerFrame
from sonde_protocol.values import MAX_INTEGER

CLIENT_FRAMES: tuple[type[Frame], ...] = get_args(ClientFrame)
SERVER_FRAMES: tuple[type[Frame], ...] = get_args(ServerFrame)

integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=12)
scalars = st.none() | st.booleans() | integers | numbers | texts
members = scalars.filter(lambda value: value is not None)


def _nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


values = _nested(scalars, texts)
patches = st.dictionaries(texts, values, max_size=4)

# Few keys, so that two documents share some and differ in others.
_few_keys = st.sampled_from(["a", "b", "ä", "", "\U0001f600", "�"])
_document_value = st.recursive(
    members | st.lists(scalars, max_size=3),
    lambda inner: st.dictionaries(_few_keys, inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(_few_keys, _document_value, max_size=4)
document_patches = st.dictionaries(
    _few_keys,
    st.recursive(scalars, lambda inner: st.dictionaries(_few_keys, inner, max_size=4), max_leaves=10),
    max_size=4,
)


def frames_of(frame_type: type[Frame]) -> st.SearchStrategy[Frame]:
    """Any legal frame of one type."""
    kind = msgspec.inspect.type_info(frame_type)
    assert isinstance(kind, msgspec.inspect.StructType)
    return _struct(kind)


def any_frame(types: tuple[type[Frame], ...]) -> st.SearchStrategy[Frame]:
    return st.sampled_from(types).flatmap(frames_of)


def _struct(kind: msgspec.inspect.StructType) -> st.SearchStrategy[Any]:
    fields = {}
    for field in kind.fields:
        strategy = _typed(field.type)
        fields[field.name] = strategy if field.required else st.just(field.default) | strategy
    return st.builds(kind.cls, **fields)


def _typed(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case msgspec.inspect.AnyType():
            return values
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            return st.integers(kind.ge, kind.le)
        case msgspec.inspect.FloatType():
            low = kind.gt if kind.gt is not None else kind.ge
            return st.floats(low, kind.le, exclude_min=kind.gt is not None)
        case msgspec.inspect.StrType():
            return st.text(min_size=kind.min_length or 0, max_size=min(kind.max_length or 20, 20))
        case msgspec.inspect.LiteralType():
            return st.sampled_from(kind.values)
        case msgspec.inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case msgspec.inspect.ListType():
            return st.lists(_typed(kind.item_type), max_size=3)
        case msgspec.inspect.TupleType():
            return st.tuples(*map(_typed, kind.item_types))
        case msgspec.inspect.DictType(value_type=msgspec.inspect.AnyType()):
            return patches
        case msgspec.inspect.DictType():
            return st.dictionaries(_typed(kind.key_type), _typed(kind.value_type), max_size=4)
        case msgspec.inspect.UnionType():
            return st.one_of(*map(_typed, kind.types))
        case msgspec.inspect.StructType():
            return _struct(kind)
    raise AssertionError(f"no strategy for {kind}")
