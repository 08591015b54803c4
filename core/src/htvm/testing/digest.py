"""A digest of the C of some layers, to compare between processes.

``python -m htvm.testing.digest TARGET LAYERS [KEY=VALUE ..]`` prints it.
"""

from __future__ import annotations

import hashlib
import sys

from htvm.errors import DoesNotFitError
from htvm.testing.attempts import ask_all
from htvm.testing.bench import benches
from htvm.testing.subject import Subject

EVERY = 8
"""Of so many accepted layers, one is written."""


def digest(subject: Subject) -> str:
    """SHA-256 over the files of a few layers' networks."""
    attempts = ask_all(subject.accepted[::EVERY], subject.fresh_session()).attempts
    found = hashlib.sha256()
    for bench in benches(attempts, subject.session):
        if not isinstance(bench, DoesNotFitError):
            for name, text in sorted(bench.project.files.items()):
                found.update(f"{name}\0{text}\0".encode())
    return found.hexdigest()


def main(arguments: list[str]) -> None:
    """Print the digest of a target."""
    target, layers, *pairs = arguments
    settings = dict(pair.split("=", 1) for pair in pairs)
    sys.stdout.write(digest(Subject(target, settings=settings, layers=int(layers))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
