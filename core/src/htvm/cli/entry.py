"""The console script: ready for Ctrl-C before anything that takes time is imported."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 128 + 2


def main() -> None:
    """Run the command line; an interrupt while it loads ends as one that comes later does."""
    try:
        from htvm.cli.main import main as loaded

        loaded()
    except KeyboardInterrupt:
        sys.stderr.write("error[HTVM-E002]: interrupted\n")
        sys.stderr.flush()
        os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
