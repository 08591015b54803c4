import shutil
import subprocess
from pathlib import Path

from htvm.api import Runner, Target, hookimpl


def _run(project: Path) -> str:
    done = subprocess.run(
        ["make", "-s", "test", "ARCH=-Idevice"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


class Simulator(Target):
    @hookimpl
    def htvm_runner(self) -> Runner:
        absent = [tool for tool in ("make", "cc") if shutil.which(tool) is None]
        missing = f"{' and '.join(absent)} not installed" if absent else ""
        return Runner(name="this machine", run=_run, missing=missing)
