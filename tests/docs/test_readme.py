"""What the README shows of its first command is what the command says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from blocks import ROOT, blocks, prepare


def test_the_transcript_is_the_commands_output(tmp_path: Path) -> None:
    command, transcript = blocks(ROOT / "README.md")[:2]
    prepare(tmp_path)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "onnxruntime.py").write_text("raise ImportError('the command does not install it')\n")

    done = subprocess.run(
        [sys.executable, "examples/digits/deploy.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )

    assert command.text.rstrip().endswith("python examples/digits/deploy.py")
    assert transcript.text.splitlines() == done.stderr.splitlines()
