"""What maintainers do now and then; tests are tox's business."""

from __future__ import annotations

import re
from pathlib import Path

import nox

PACKAGES = ("core", "plugins/htvm-cpu", "plugins/htvm-diana")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build the wheel of every distribution into dist/."""
    session.install("build")
    for package in PACKAGES:
        session.run("python", "-m", "build", "--wheel", "--outdir", "dist", package)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks; arguments are passed on."""
    session.install(*(f"./{package}" for package in PACKAGES), "-r", "requirements-test.txt")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation and serve it: ``nox -s docs -- 8000``; without a port only build."""
    session.install(*(f"./{package}" for package in PACKAGES), "-r", "requirements-docs.txt")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    if session.posargs:
        session.run("python", "-m", "http.server", *session.posargs, "-d", "docs/_build/html")


@nox.session
def digits(session: nox.Session) -> None:
    """Train and quantise the example network again."""
    session.install("torch", "scikit-learn", "onnx", "numpy")
    session.run("python", "examples/digits/train.py")


@nox.session(venv_backend="none")
def bump(session: nox.Session) -> None:
    """Set the version of every distribution: ``nox -s bump -- 0.2.0``."""
    if len(session.posargs) != 1 or not re.fullmatch(r"\d+\.\d+\.\d+", session.posargs[0]):
        session.error("give one version, for example: nox -s bump -- 0.2.0")
    version = session.posargs[0]
    major, minor, _ = version.split(".")
    after = f"{major}.{int(minor) + 1}"
    for package in PACKAGES:
        path = Path(package, "pyproject.toml")
        text = re.sub(r'^version = ".*"$', f'version = "{version}"', path.read_text(), flags=re.M)
        text = re.sub(r'"(htvm-[a-z]+)>=[\d.]+,<[\d.]+"', rf'"\1>={major}.{minor},<{after}"', text)
        path.write_text(text)
