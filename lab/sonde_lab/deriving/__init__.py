"""From captured rows to a scenario that brings the same drop about again.

`derive` is the whole of it: it finds the drop, asks the verdict, and writes a scenario whose comments name the rows it
rests on. It says what the rows do not tell, and makes nothing up.
"""

from sonde_lab.deriving.deriving import Derived, NothingToDerive, Wanted, derive

__all__ = ["Derived", "NothingToDerive", "Wanted", "derive"]
