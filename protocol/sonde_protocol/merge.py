"""State arithmetic: RFC 7396 merge patches, their difference, and the canonical form that is hashed (RFC 8785).

Documents are trees of what JSON can carry, without nulls as object members. Nothing here changes its input:
results share what did not change with it, so whoever holds a document treats it as frozen.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from sonde_protocol.errors import NotCanonical
from sonde_protocol.values import MAX_INTEGER

HASH_DIGITS: Final = 16

_quote = json.encoder.encode_basestring  # escapes exactly what RFC 8785 section 3.2.2.2 does
_TOO_DEEP: Final = "nested too deeply"


def apply(document: Any, patch: Any) -> Any:
    """`document` after `patch` (RFC 7396 section 2): null removes, objects merge, all else replaces.

    Nulls inside arrays are data and stay.

    Raises:
        NotCanonical: nested too deeply to walk.
    """
    try:
        return _merge(document, patch)
    except RecursionError:
        raise NotCanonical(_TOO_DEEP) from None


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merge(result.get(key), value)
        else:
            result[key] = value
    return result


def diff(before: Any, after: Any) -> Any:
    """The patch for which `apply(before, patch)` is `after`; `{}` when two objects are the same.

    Both must be free of null members. `1`, `1.0` and `True` are three values. Arrays are replaced whole.

    Raises:
        NotCanonical: nested too deeply to walk.
    """
    try:
        return _difference(before, after)
    except RecursionError:
        raise NotCanonical(_TOO_DEEP) from None


def _difference(before: Any, after: Any) -> Any:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, new in after.items():
        old = before.get(key)
        if old is new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            inner = _difference(old, new)
            if inner:
                patch[key] = inner
        elif not _same(old, new):
            patch[key] = new
    return patch


def _same(left: Any, right: Any) -> bool:
    """Equality that tells `1`, `1.0` and `True` apart, at any depth."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(item, right[key]) for key, item in left.items())
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def changed_paths(patch: Any) -> list[tuple[str, ...]]:
    """The paths that `patch` writes or removes: its leaves, in its own order. An empty object is a leaf."""
    leaves: list[tuple[str, ...]] = []
    waiting: list[tuple[tuple[str, ...], Any]] = [((), patch)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting.extend(((*path, key), value[key]) for key in reversed(value))
        elif path or not isinstance(value, dict):
            leaves.append(path)
    return leaves


def canonical(value: Any) -> bytes:
    """The one JSON text of `value` (RFC 8785): sorted keys, no spaces, ECMAScript numbers, UTF-8.

    Raises:
        NotCanonical: NaN, an infinity, an integer beyond 2^53 - 1, a lone surrogate, a key that is no string,
            a type outside JSON's, or nested too deeply to walk.
    """
    pieces: list[str] = []
    try:
        _write(value, pieces.append)
        return "".join(pieces).encode()
    except UnicodeEncodeError:
        raise NotCanonical("a lone surrogate") from None
    except RecursionError:
        raise NotCanonical(_TOO_DEEP) from None


def state_hash(value: Any) -> str:
    """The first 16 hex digits of SHA-256 over the canonical form.

    Raises:
        NotCanonical: `value` has no canonical form.
    """
    return hashlib.sha256(canonical(value)).hexdigest()[:HASH_DIGITS]


def _write(value: Any, put: Any) -> None:
    if isinstance(value, str):
        put(_quote(value))
    elif isinstance(value, bool) or value is None:
        put("null" if value is None else "true" if value else "false")
    elif isinstance(value, int | float):
        put(_number(value))
    elif isinstance(value, dict):
        _write_object(value, put)
    elif isinstance(value, list | tuple):
        put("[")
        for index, item in enumerate(value):
            if index:
                put(",")
            _write(item, put)
        put("]")
    else:
        raise NotCanonical(f"a value of type {type(value).__name__}")


def _write_object(value: dict[Any, Any], put: Any) -> None:
    separator = "{"
    for key in sorted(value, key=_utf16):
        put(separator)
        put(_quote(key))
        put(":")
        _write(value[key], put)
        separator = ","
    put("}" if value else "{}")


def _utf16(key: Any) -> bytes:
    if not isinstance(key, str):
        raise NotCanonical("a map key that is no string")
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """ECMAScript's Number::toString (ECMA-262 section 6.1.6.1.20). `repr` finds the same shortest digits."""
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonical("an integer beyond 2^53")
        return str(value)
    if value - value != 0.0:
        raise NotCanonical("a number that is not finite")
    if value == 0:
        return "0"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    digits = mantissa.replace(".", "")
    return sign + _place(digits, int(exponent) + 1)


def _place(digits: str, point: int) -> str:
    """Write 0.`digits` × 10^`point` as ECMAScript does; `repr` left only very large and very small ones."""
    if 0 < point <= 21:
        return digits.ljust(point, "0")
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
