"""Why a connection dropped, or never came about: one sentence, by whom, what to do, and the rows behind it.

`why` is the whole of it for whoever asks; `causes.CAUSES` is the table of what it can say. It looks at the ring only,
and says nothing that no row shows: where two causes fit or none does, the verdict is unknown and says what is missing.
"""

from sonde_lab.verdict.causes import CAUSES, Cause
from sonde_lab.verdict.judging import has_reason, latest, why
from sonde_lab.verdict.verdicts import Certainty, Evidence, Verdict

__all__ = ["CAUSES", "Cause", "Certainty", "Evidence", "Verdict", "has_reason", "latest", "why"]
