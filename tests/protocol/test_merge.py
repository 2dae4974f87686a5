"""Merge patches, their difference and the canonical form."""

from __future__ import annotations

import copy
import decimal
import hashlib
import itertools
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol.errors import NotCanonical
from sonde_protocol.merge import apply, canonical, changed_paths, diff, state_hash
from sonde_protocol.values import MAX_INTEGER
from support.wire_values import document_patches, documents, numbers, values

# ---------------------------------------------------------------- apply


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patches_work_as_in_the_rfc(document: Any, patch: Any, result: Any) -> None:
    assert apply(document, patch) == result


def null_members(value: Any) -> bool:
    if isinstance(value, dict):
        return any(item is None or null_members(item) for item in value.values())
    return False  # nulls inside of arrays are data


@settings(max_examples=60)
@given(documents, document_patches)
def test_a_patched_document_has_no_null_members_and_its_sources_are_untouched(
    document: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy.deepcopy((document, patch))
    assert not null_members(apply(document, patch))
    assert (document, patch) == before


@settings(max_examples=60)
@given(documents, document_patches)
def test_a_second_time_a_patch_changes_nothing(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = apply(document, patch)
    assert exactly(apply(once, patch), once)


# ---------------------------------------------------------------- diff


def exactly(left: Any, right: Any) -> bool:
    """Equality by type too, written another way than the code under test."""
    return repr(_sorted(left)) == repr(_sorted(right))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items())
    return list(map(_sorted, value)) if isinstance(value, list) else value + 0.0 if value == 0.0 else value


@settings(max_examples=60)
@given(documents, documents)
def test_the_difference_leads_from_one_document_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert exactly(apply(before, diff(before, after)), after)


@settings(max_examples=60)
@given(documents, document_patches)
def test_the_difference_made_by_a_patch_has_its_effect(
    document: dict[str, Any], patch: dict[str, Any]
) -> None:
    after = apply(document, patch)
    assert exactly(apply(document, diff(document, after)), after)


@settings(max_examples=60)
@given(documents)
def test_a_document_does_not_differ_from_its_copy(document: dict[str, Any]) -> None:
    assert diff(document, copy.deepcopy(document)) == {}
    assert diff(document, document) == {}


def test_values_that_python_calls_equal_are_told_apart() -> None:
    alike = [1, 1.0, True, "1", [1], [1.0], [True], [{"b": 1}], [{"b": True}], [[True]]]
    for old, new in itertools.product(alike, alike):
        patch = diff({"a": old}, {"a": new})
        assert exactly(patch, {} if old is new else {"a": new}), (old, new)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({"a": {"b": 1}}, {}, {"a": None}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}),
        ({"a": [{"b": 1}]}, {"a": [{"c": 1}]}, {"a": [{"c": 1}]}),
        ({"a": {}}, {"a": []}, {"a": []}),
        ({"a": 1}, [1], [1]),
        ([1], {"a": 1}, {"a": 1}),
        (1, 1, 1),
    ],
)
def test_the_difference_is_no_larger_than_it_must_be(before: Any, after: Any, patch: Any) -> None:
    assert diff(before, after) == patch


# ---------------------------------------------------------------- changed paths


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        ({}, []),
        ({"players": {"ada": {"x": 1, "y": None}, "bo": None}, "n": [1]},
         [("players", "ada", "x"), ("players", "ada", "y"), ("players", "bo"), ("n",)]),
        ({"a": {}}, [("a",)]),
        ("whole", [()]),
        (None, [()]),
    ],
)  # fmt: skip
def test_the_changed_paths_are_the_leaves_of_a_patch(patch: Any, paths: list[tuple[str, ...]]) -> None:
    assert changed_paths(patch) == paths


# ---------------------------------------------------------------- canonical form


@pytest.mark.parametrize(
    ("bits", "text"),
    [  # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_in_the_rfc(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number).decode() == text


def test_the_sample_of_the_rfc_is_written_as_there() -> None:
    sample = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    assert canonical(sample).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == [
        "\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip


def ecmascript(number: float) -> str:
    """Number::toString of ECMA-262, straight from its text, by way of decimal digits."""
    if number == 0:
        return "0"
    if number < 0:
        return "-" + ecmascript(-number)
    _, digit_tuple, exponent = decimal.Decimal(repr(float(number))).normalize().as_tuple()
    assert isinstance(exponent, int)
    s, k = "".join(map(str, digit_tuple)), len(digit_tuple)
    n = exponent + k
    if k <= n <= 21:
        return s + "0" * (n - k)
    if 0 < n <= 21:
        return s[:n] + "." + s[n:]
    if -6 < n <= 0:
        return "0." + "0" * -n + s
    sign, power = "-" if n - 1 < 0 else "+", str(abs(n - 1))
    return f"{s}e{sign}{power}" if k == 1 else f"{s[0]}.{s[1:]}e{sign}{power}"


@given(numbers)
def test_every_number_agrees_with_an_independent_formatter(number: float) -> None:
    assert canonical(number).decode() == ecmascript(number)


@given(st.integers(-MAX_INTEGER, MAX_INTEGER))
def test_an_integer_and_its_double_have_one_form(number: int) -> None:
    assert canonical(number) == canonical(float(number)) == ecmascript(number).encode()


@settings(max_examples=60)
@given(values)
def test_the_canonical_form_means_the_same_and_is_its_own_canonical_form(value: Any) -> None:
    text = canonical(value)
    again = json.loads(text, parse_int=float)  # numbers are doubles
    assert again == value
    assert canonical(again) == text


@settings(max_examples=60)
@given(documents)
def test_the_order_of_members_does_not_matter(document: dict[str, Any]) -> None:
    assert canonical(dict(reversed(document.items()))) == canonical(document)


def test_a_tuple_is_an_array() -> None:
    assert canonical((1, "a")) == b'[1,"a"]'


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "finite"),
        (math.inf, "finite"),
        (-math.inf, "finite"),
        (MAX_INTEGER + 1, "2\\^53"),
        (-MAX_INTEGER - 1, "2\\^53"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "key"),
        ({1: 2, "a": 3}, "key"),
        (b"x", "bytes"),
        ([{"a": object()}], "object"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(NotCanonical, match=reason):
        canonical(value)


def test_the_state_hash_is_the_front_of_sha_256() -> None:
    assert state_hash({}) == hashlib.sha256(b"{}").hexdigest()[:16]
    assert state_hash({"b": 1.0, "a": -0.0}) == hashlib.sha256(b'{"a":0,"b":1}').hexdigest()[:16]


# ---------------------------------------------------------------- depth


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_no_depth_escapes_as_a_recursion_error() -> None:
    bottomless, other = deep(20_000), deep(20_001)
    with pytest.raises(NotCanonical, match="deep"):
        canonical(bottomless)
    with pytest.raises(NotCanonical, match="deep"):
        apply({}, bottomless)
    with pytest.raises(NotCanonical, match="deep"):
        diff(bottomless, other)
    assert changed_paths(bottomless) == [("a",) * 20_000]
