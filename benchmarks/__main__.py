"""``python -m benchmarks [NAME ...] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from benchmarks import suite
from htvm.errors import HtvmError


def main(arguments: list[str] | None = None) -> int:
    """Run benchmarks; the exit code is 8 when one does not give what is expected."""
    known = sorted(module.name for module in iter_modules(suite.__path__))
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(known)}")
    try:
        return _run(options.names or known, options.json)
    except HtvmError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code


def _run(names: list[str], json_path: Path | None) -> int:
    results = {}
    for name in names:
        results[name] = result = import_module(f"benchmarks.suite.{name}").run()
        verdict = "as expected" if result.met else "NOT as expected"
        print(f"{name}: {verdict}\n{result.claim}\n\n{result.table}\n")
    if json_path is not None:
        document = {name: result.to_json() for name, result in results.items()}
        json_path.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if all(result.met for result in results.values()) else 8


if __name__ == "__main__":
    sys.exit(main())
