"""One module a benchmark, with ``run() -> Result``; a new module is found by itself."""
