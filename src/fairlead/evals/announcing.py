"""A gate's decision, for whatever runs it: JUnit's XML and the annotations of GitHub's workflows. Decides nothing."""

import re
from xml.etree import ElementTree

from fairlead.evals.gating import Decision
from fairlead.evals.wording import check_sentence, decision_sentence

# What XML 1.0 has no way to write.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LEVELS = {"pass": "notice", "undecided": "warning", "fail": "error"}


def junit(decision: Decision, took_s: float) -> str:
    """A test suite with one test per condition. What is undecided is a failure too: a gate that can't tell is not
    open."""
    open_ = [check for check in decision.checks if check.outcome != "pass"]
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"fairlead eval gate: {decision.base} -> {decision.candidate}"),
        tests=str(len(decision.checks)),
        failures=str(len(open_)),
        errors="0",
        skipped="0",
        time=f"{took_s:.3f}",
    )
    for check in decision.checks:
        name = _xml(f"{check.metric} ({check.role}, {check.kind} {check.limit:g})")
        case = ElementTree.SubElement(suite, "testcase", classname="fairlead.eval.gate", name=name)
        told = _xml(check_sentence(decision, check))
        if check.outcome != "pass":
            failure = ElementTree.SubElement(case, "failure", type=check.outcome, message=f"{check.outcome}: {told}")
            failure.text = told  # which is what some show alone
        ElementTree.SubElement(case, "system-out").text = told
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True).decode() + "\n"


def annotations(decision: Decision) -> list[str]:
    """Workflow commands: one for the decision, one for each condition that did not pass, which it does not tell."""
    decided = decision_sentence(decision)
    open_ = [(check.outcome, check_sentence(decision, check)) for check in decision.checks if check.outcome != "pass"]
    others = [_annotation(outcome, told) for outcome, told in open_ if told not in decided]
    return [_annotation(decision.outcome, decided), *others]


def _annotation(outcome: str, text: str) -> str:
    return f"::{LEVELS[outcome]} title=fairlead eval gate::{_escaped(text)}"


def _escaped(text: str) -> str:
    """As the runner reads a command's message, so that a candidate's name can't be a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _xml(text: str) -> str:
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
