"""One filter language for tables, assertions and exports: a text in, the rows that it means out.

`Filter` is the whole of it for whoever filters; `fields.FIELDS` is the table of what can be asked.
"""

from sonde_lab.filter.expression import Filter
from sonde_lab.filter.terms import FilterError

__all__ = ["Filter", "FilterError"]
