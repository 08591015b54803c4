"""The one import of TVM, after a check of what is installed.

Importing this module costs about a second and 200 MB; only modules that are themselves imported
inside functions may import it.
"""

from __future__ import annotations

import sys

from htvm.tvm.pins import check_versions

check_versions()
# TVM replaces the process's exception hook by one that ends child processes.
_hook = sys.excepthook
try:
    from tvm import IRModule, ir, s_tir, target, te, tirx
finally:
    sys.excepthook = _hook

__all__ = ["IRModule", "ir", "s_tir", "target", "te", "tirx"]
