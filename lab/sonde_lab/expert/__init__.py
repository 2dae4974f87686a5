"""What an expert would point at: a judge over a ring's new rows, and the findings that it keeps.

`Expert` is the whole of it for whoever asks; `kinds.KINDS` is the table of what it can find.
"""

from sonde_lab.expert.findings import Finding
from sonde_lab.expert.judging import Expert
from sonde_lab.expert.kinds import KINDS, FindingKind, Severity

__all__ = ["KINDS", "Expert", "Finding", "FindingKind", "Severity"]
