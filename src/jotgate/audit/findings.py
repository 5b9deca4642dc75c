"""What an examination finds, and how grave it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
ERROR: Severity = "error"
"""Tokens are refused because of it, or the keys can no longer be trusted."""
WARNING: Severity = "warning"
"""It works with this verifier now, but not with every one, or not for long."""
NOTE: Severity = "note"
"""Worth knowing."""
SEVERITIES = (ERROR, WARNING, NOTE)


class Finding(NamedTuple):
    """One thing that is wrong or worth knowing."""

    severity: Severity
    code: str
    where: str
    """What it is about, such as ``key 2 (kid '2026-11')`` or ``Cache-Control``. May quote the document."""
    message: str
    """What is the matter. Quotes nothing but the issuer that a discovery document names, escaped and cut."""
    advice: str
    """What to do; empty where there is nothing to do."""


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by severity, otherwise in the order they came."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether one of them is an error."""
    return any(finding.severity == ERROR for finding in findings)
