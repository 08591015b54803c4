"""The page of error codes."""

from __future__ import annotations

from htvm.codes import CODES
from htvm.remedies import REMEDIES
from reference.markdown import page

_FAMILIES = {
    "1": "Command line, files and samples (exit code 2)",
    "2": "Networks that cannot be taken (exit code 3)",
    "3": "Too large for the chip (exit code 4)",
    "4": "Generated C and reference differ (exit code 5)",
    "5": "Tools (exit code 6)",
    "6": "Target plug-ins (exit code 7)",
    "0": "Bugs and interruptions (exit codes 1 and 130)",
}


def errors_page() -> str:
    """Every error code, by family."""
    lines = [
        "# Error codes",
        "",
        "An error names its code, what was seen, what would be accepted, and what to do next.",
        "`htvm explain HTVM-E301` shows the meaning of a code on the command line.",
        "",
    ]
    for digit, title in _FAMILIES.items():
        lines += [f"## {title}", ""]
        for code, text in CODES.items():
            if code[1] == digit:
                lines += [f"(htvm-{code.lower()})=", f"### HTVM-{code}", "", text, ""]
                lines += [f"What to do: {REMEDIES[code]}", ""]
    return page(lines)
