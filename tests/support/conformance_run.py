"""The Autobahn cases against one server, in a process of its own: what each came to, as JSON on standard output.

A process of its own, since the suite's runner brings threads that may outlive the interpreter. Its arguments are the
server's URL, how many cases run at the same time, and the cases' ids or globs; `!9.*` leaves cases out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from typing import Any

from kosoku import FailureError, run_fuzzingclient


async def results(url: str, at_once: int, chosen: list[str]) -> list[Any]:
    """Every case's result; a case that did not pass is a result like any other."""
    wanted = [case for case in chosen if not case.startswith("!")]
    unwanted = [case[1:] for case in chosen if case.startswith("!")]
    try:
        return await run_fuzzingclient(url, wanted or None, unwanted or None, at_once)
    except FailureError as failure:
        return list(failure.results)


def told(result: Any) -> list[Any]:
    """One case's verdict, without what differs from run to run; its fields are those of `Verdict`."""
    received = hashlib.sha256(repr(result.received).encode()).hexdigest()
    close = (result.behavior_close.value, result.remote_close_code, result.remote_close_reason)
    return [result.behavior.value, *close, received]


if __name__ == "__main__":
    found = asyncio.run(results(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
    print(json.dumps({result.case_id: told(result) for result in found}), flush=True)
    os._exit(0)  # not by way of the interpreter's end, which the runner's threads may not survive
