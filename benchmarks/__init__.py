"""Benchmarks: each measures ratios between contenders in one run, so that any machine will do."""
