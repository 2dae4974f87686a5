"""Reports as lines for people and as JUnit XML for build servers.

Owns both forms. What is in a name or in evidence is text: XML cannot hold control characters, so they are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from sonde_lab.scenario.running import Report
from sonde_lab.wording import one_line

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_LINE: Final = 400


@dataclass(slots=True)
class Run:
    """One play of a file: its report, or why there is none. `took_s` is real time."""

    path: Path
    number: int
    report: Report | None = None
    problem: str = ""
    took_s: float = 0.0

    @property
    def is_met(self) -> bool:
        """Whether everything held."""
        return self.report is not None and self.report.is_met


def lines_of(run: Run) -> Iterator[str]:
    """A line for each expectation, and one for the whole."""
    if run.report is None:
        yield f"{run.path}: could not run. {run.problem}"
        return
    for verdict in run.report.verdicts:
        mark = "met    " if verdict.is_met else "NOT MET"
        words = one_line(verdict.expectation.words, 100)
        yield one_line(f"  {mark}  {words}: {verdict.evidence}", _MAX_LINE)
    met = sum(verdict.is_met for verdict in run.report.verdicts)
    yield (
        f"  {met} of {len(run.report.verdicts)} met, seed {run.report.seed}, {run.report.rows:,} rows; "
        f"{run.report.lasted_s:.1f} s of scenario in {run.took_s:.1f} s"
    )


def rate_of(runs: Sequence[Run]) -> str:
    """How often it held, over several plays."""
    met = sum(run.is_met for run in runs)
    failed = ", ".join(str(run.report.seed) for run in runs if run.report is not None and not run.is_met)
    seeds = f"; not met with seed {failed}" if failed else ""
    return f"{met} of {len(runs)} plays met ({100 * met / len(runs):.0f} %){seeds}"


def write_junit(path: Path, runs: Sequence[Run]) -> None:
    """One suite a play, one case an expectation.

    Raises:
        OSError: the file cannot be written.
    """
    root = ElementTree.Element("testsuites")
    for run in runs:
        root.append(_suite(run))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(run: Run) -> ElementTree.Element:
    name = f"{run.path.stem} #{run.number}" if run.number > 1 else run.path.stem
    suite = ElementTree.Element("testsuite", name=_xml(name), time=f"{run.took_s:.3f}")
    failures = 0
    if run.report is None:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(run.path.stem), name="run")
        ElementTree.SubElement(case, "error", message=_xml(run.problem))
    else:
        for verdict in run.report.verdicts:
            words = f"line {verdict.expectation.line}: {verdict.expectation.words}"
            case = ElementTree.SubElement(
                suite, "testcase", classname=_xml(run.report.scenario.name), name=_xml(words)
            )
            if verdict.is_met:
                ElementTree.SubElement(case, "system-out").text = _xml(verdict.evidence)
            else:
                failures += 1
                ElementTree.SubElement(case, "failure", message=_xml(verdict.evidence))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("errors", str(int(run.report is None)))
    return suite


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", text)
