"""The filter language's grammar: text in, a tree of terms out, or an error with its place.

    expression = conjunction {("or" | "||") conjunction}
    conjunction = factor {["and" | "&&"] factor}
    factor = ("not" | "!" | "-") factor | "(" expression ")" | term
    term = field relation value | field ":" from ".." to | "has:" name | '"text"' | "/regex/" ["i"] | word

Owns reading. Everything is bounded: length, nesting, terms; a filter may come from a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

import re2

from sonde_lab.filter.fields import BY_NAME, FLAGS, PRESENT, UNITS, Field, Holds
from sonde_lab.filter.terms import (
    Both,
    Compare,
    Either,
    Everything,
    FilterError,
    Has,
    Not,
    PathCompare,
    Pattern,
    Scalar,
    Term,
    Text,
    is_number,
)
from sonde_lab.search import words_of
from sonde_protocol.errors import excerpt

MAX_CHARACTERS: Final = 4_000
MAX_TERMS: Final = 200
MAX_DIGITS: Final = 40  # of a whole number; longer ones are floats
MAX_DEPTH: Final = 40
_COMPARISON: Final = re.compile(r"([A-Za-z_][\w.*$-]*)(\s*(?:==|!=|<=|>=|=|<|>|~)\s*|:)")
_BARE: Final = re.compile(r"[^\s()]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SLASHED: Final = re.compile(r"/((?:[^/\\]|\\.)+)/(i?)(?=[\s)]|$)")
_SPACE: Final = re.compile(r"\s*")
_KEYWORD: Final = re.compile(r"(and|or|not)(?=[\s()]|$)|(&&|\|\|)", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d{1,2})?)([A-Za-zµ]*)", re.IGNORECASE
)
JOINS: Final = {"and": "and", "&&": "and", "or": "or", "||": "or", "not": "not"}
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def parse(text: str, fields: Mapping[str, Field] = BY_NAME, looks_inside: bool = True) -> Term:
    """Read a filter. `fields`: what may be asked for; `looks_inside`: rows have flags and messages.

    Raises:
        FilterError: it is not understood; where and why.
    """
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"a filter has at most {MAX_CHARACTERS:,} characters", MAX_CHARACTERS)
    return _Parser(text, fields, looks_inside).whole()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field], looks_inside: bool) -> None:
        self._text = text
        self._fields = fields
        self._looks_inside = looks_inside
        self._at = 0
        self._terms = 0

    def whole(self) -> Term:
        self._space()
        if self._is_over():
            return Everything()
        term = self._expression(0)
        if not self._is_over():
            self._fail("a ) without a ( before it")
        return term

    # ------------------------------------------------------------ and, or, not

    def _expression(self, depth: int) -> Term:
        terms = [self._conjunction(depth)]
        while self._take_keyword("or"):
            terms.append(self._conjunction(depth))
        return terms[0] if len(terms) == 1 else Either(tuple(terms))

    def _conjunction(self, depth: int) -> Term:
        terms = [self._factor(depth)]
        while not self._is_over() and self._text[self._at] != ")" and self._keyword() != "or":
            self._take_keyword("and")
            terms.append(self._factor(depth))
        return terms[0] if len(terms) == 1 else Both(tuple(terms))

    def _factor(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} levels deep")
        if self._is_over():
            self._fail("something must follow here")
        if self._take_keyword("not") or self._take_sign():
            return Not(self._factor(depth + 1))
        if self._keyword():
            self._fail(f"a term is missing before “{self._keyword()}”")
        if self._text[self._at] == "(":
            return self._group(depth)
        if self._text[self._at] == ")":
            self._fail("a term is missing before )")
        return self._term()

    def _group(self, depth: int) -> Term:
        opened = self._at
        self._at += 1
        self._space()
        term = self._expression(depth + 1)
        if self._is_over():
            raise FilterError("this ( is never closed", opened)
        self._at += 1
        self._space()
        return term

    def _take_sign(self) -> bool:
        follows = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at] in "-!" and follows and not follows.isspace() and follows not in "-!)=":
            self._at += 1
            return True
        return False

    def _keyword(self) -> str:
        found = _KEYWORD.match(self._text, self._at)
        return JOINS[found[0].lower()] if found else ""

    def _take_keyword(self, word: str) -> bool:
        found = _KEYWORD.match(self._text, self._at)
        if found is None or JOINS[found[0].lower()] != word:
            return False
        self._at = found.end()
        self._space()
        return True

    # ------------------------------------------------------------ terms

    def _term(self) -> Term:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self._fail(f"a filter has at most {MAX_TERMS} terms")
        term = self._quoted_text() or self._regex() or self._comparison() or self._word()
        self._space()
        return term

    def _quoted_text(self) -> Term | None:
        if self._text[self._at] != '"':
            return None
        return Text(self._quoted() or self._fail("nothing stands between the quotes"))

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self._fail("this quote is never closed")
        self._at = found.end()
        return re.sub(r'\\(["\\])', r"\1", found[1])

    def _regex(self) -> Pattern | None:
        found = _SLASHED.match(self._text, self._at)
        if found is None:
            return None
        pattern = self._checked(found[1].replace("\\/", "/"), self._at + 1, ignores_case=bool(found[2]))
        self._at = found.end()
        return pattern

    def _word(self) -> Term:
        found = _BARE.match(self._text, self._at)
        assert found is not None  # the factor saw a character that is neither space nor bracket
        self._at = found.end()
        return Text(words_of(found[0])[0])

    def _comparison(self) -> Term | None:
        found = _COMPARISON.match(self._text, self._at)
        if found is None:
            return None
        name, relation = found[1], found[2].strip()
        is_inside = self._looks_inside and (name.lower() == "has" or name.startswith("d."))
        is_known = name.lower() in self._fields or is_inside
        if not is_known:
            follows = self._text[found.end() : found.end() + 1]
            if found[2] != relation or not follows or follows.isspace():
                return None  # "a > b" of no known field is three words, "ada:" is one
            self._fail(_unknown(name, [*self._fields, *(["has"] if self._looks_inside else [])]))
        self._at = found.end()
        relation = ":" if relation in ("=", "==") else relation
        if self._is_over() or self._text[self._at].isspace() or self._text[self._at] in "()":
            self._fail(f"a value must follow “{name}{relation}”")
        if name.lower() in self._fields:
            return self._field(self._fields[name.lower()], relation)
        if name.startswith("d."):
            return self._path(self._checked_path(name, found.start(1)), relation)
        return self._has(relation)

    def _has(self, relation: str) -> Term:
        start, name = self._at, self._value().lower()
        if relation != ":":
            raise FilterError("has takes a colon: has:fault", start)
        if name.startswith("d."):
            return Has(path=self._checked_path(self._text[start : self._at], start))
        if name not in FLAGS and name not in PRESENT:
            raise FilterError(f"has: takes {_listed((*FLAGS, *PRESENT))}, or a path such as d.hp", start)
        return Has(flag=name)

    def _field(self, field: Field, relation: str) -> Term:
        start = self._at
        if field.holds is Holds.NAME:
            return Compare(field, relation, self._name_value(field, relation))
        value = self._value()
        if relation == "~":
            raise FilterError(f"“{field.name}” is {field.holds.value}, so ~ means nothing for it", start)
        if field.holds is Holds.WORD:
            return Compare(field, self._equality(field, relation, start), _one_of(field, value, start))
        if ".." in value and relation in (":", "!="):
            return self._range(field, relation, value, start)
        return Compare(field, relation, _quantity(field, value, start))

    def _range(self, field: Field, relation: str, value: str, start: int) -> Term:
        """`from..to`, both included."""
        low, _, high = value.partition("..")
        self._terms += 1
        inside = Both(
            (
                Compare(field, ">=", _quantity(field, low, start)),
                Compare(field, "<=", _quantity(field, high, start + len(low) + 2)),
            )
        )
        return inside if relation == ":" else Not(inside)

    def _name_value(self, field: Field, relation: str) -> str:
        start = self._at
        if relation == "~":
            return self._pattern_value().source
        self._equality(field, relation, start)
        return self._value()

    def _equality(self, field: Field, relation: str, start: int) -> str:
        if relation not in (":", "!="):
            raise FilterError(f"“{field.name}” has no order: use : or !=", start)
        return relation

    def _path(self, path: tuple[str, ...], relation: str) -> Term:
        start = self._at
        if relation == "~":
            return PathCompare(path, relation, self._pattern_value().source)
        is_quoted = self._text[self._at] == '"'
        value = self._value()
        literal: Scalar = value if is_quoted else _literal(value)
        if relation not in (":", "!=") and not is_number(literal):
            raise FilterError(f"{relation} needs a number", start)
        return PathCompare(path, relation, literal)

    def _checked_path(self, name: str, start: int) -> tuple[str, ...]:
        path = tuple(name.split(".")[1:])
        if "" in path:
            raise FilterError("a key is missing in this path", start)
        if all(key == "*" for key in path):
            raise FilterError("a path needs at least one key by name", start)
        return path

    def _pattern_value(self) -> Pattern:
        start = self._at
        slashed = self._regex()
        if slashed is not None:
            return Pattern(f"(?i){slashed.source}") if slashed.ignores_case else slashed
        offset = 1 if self._text[self._at] == '"' else 0
        return self._checked(self._value(), start + offset)

    def _value(self) -> str:
        if self._text[self._at] == '"':
            return self._quoted()
        found = _BARE.match(self._text, self._at)
        assert found is not None  # the comparison saw that something follows
        self._at = found.end()
        return found[0]

    def _checked(self, source: str, start: int, *, ignores_case: bool = False) -> Pattern:
        try:
            compiled(source, ignores_case)
        except re2.error as error:
            raise FilterError(f"no regular expression (RE2): {_re2_words(error)}", start) from None
        return Pattern(source, ignores_case)

    # ------------------------------------------------------------ places

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _is_over(self) -> bool:
        return self._at >= len(self._text)

    def _fail(self, message: str) -> NoReturn:
        raise FilterError(message, self._at)


class Expression(Protocol):
    """What is used of RE2's compiled expressions."""

    def search(self, text: bytes, pos: int = ..., endpos: int = ...) -> Any:
        """The first match, or `None`."""


def compiled(source: str, ignores_case: bool = False) -> Expression:
    """An RE2 expression over bytes, line by line: linear in time, whatever it says.

    Raises:
        re2.error: it is none, or would be too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.case_sensitive = not ignores_case
    expression: Expression = re2.compile(b"(?m)" + source.encode("utf-8", "replace"), options)  # type: ignore[no-untyped-call]
    return expression


def _re2_words(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return excerpt(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason), 120)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, 1)
    guess = f"; the nearest is “{near[0]}”" if near else ""
    return f"there is no field “{excerpt(name, 40)}”{guess}. In quotes it is searched for as text"


def _one_of(field: Field, value: str, start: int) -> float:
    for word, number in field.words:
        if word == value.lower():
            return float(number)
    raise FilterError(f"“{field.name}” is {_listed([word for word, _ in field.words])}", start)


def _quantity(field: Field, value: str, start: int) -> float:
    found = _NUMBER.fullmatch(value)
    units = UNITS[field.holds]
    if found is None:
        raise FilterError(
            f"“{field.name}” is {field.holds.value}, and “{excerpt(value, 40)}” is no number", start
        )
    if found[2].lower() not in units:
        known = _listed([unit for unit in units if unit]) if len(units) > 1 else "no unit"
        raise FilterError(
            f"“{found[2]}” is no unit of “{field.name}”: it takes {known}", start + len(found[1])
        )
    return _number(found[1]) * units[found[2].lower()]


def _literal(value: str) -> Scalar:
    if value in _LITERALS:
        return _LITERALS[value]
    found = _NUMBER.fullmatch(value)
    return _number(found[1]) if found is not None and not found[2] else value


def _number(written: str) -> int | float:
    """Whole numbers stay whole: ids beyond 2**53 are no floats."""
    digits = written.replace(",", "")
    return int(digits) if len(digits) <= MAX_DIGITS and digits.lstrip("+-").isdecimal() else float(digits)


def _listed(words: list[str] | tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
