"""The list of stages, run end to end on the made-up chip."""

import pickle
from pathlib import Path

import pytest
from acme import Acme
from networks import Builder

from htvm import pipeline
from htvm.deployment import Request, VerifyOptions
from htvm.errors import ToolError, UsageError
from htvm.frontend.source import Source
from htvm.plugins.session import open_session


@pytest.fixture
def request_(monkeypatch):
    net = Builder()
    graph = net.graph(net.clip(net.conv(net.input("x", (1, 3, 4, 4)), 8, "a"), "b"))
    source = Source(path=Path("tiny.onnx"), format="onnx", data=b"1234", sha256="")
    monkeypatch.setattr(pipeline, "read", lambda path, shapes: source)
    monkeypatch.setattr(pipeline, "integerise", lambda source: graph)
    monkeypatch.setattr(
        pipeline, "open_session", lambda target, settings: open_session(Acme, settings=settings)
    )

    def make(**options):
        return Request(path=Path("tiny.onnx"), target="acme", **options)

    return make


def without_compiler(monkeypatch):
    def find():
        raise ToolError("no C compiler found", code="E501", hint="install one")

    monkeypatch.setattr(pipeline, "find_compiler", find)


def test_every_stage_reports_once_in_order(request_):
    seen = []
    done = pipeline.run(request_(), seen.append)
    names = ["read", "integerise", "rewrite", "match", "dispatch"]
    names += ["schedule", "memory", "emit", "verify"]
    assert [stage.name for stage in seen] == names
    assert done.stages == tuple(seen)
    assert all(stage.summary and stage.seconds >= 0 for stage in seen)
    assert done.verification.mismatches == 0


def test_stops_where_asked(request_):
    done = pipeline.run(request_(upto="dispatch"))
    assert done.dispatch is not None
    assert done.schedule is None
    with pytest.raises(UsageError) as caught:
        pipeline.run(request_(upto="dispach"))
    assert caught.value.code == "E147"


def test_without_a_compiler_verification_is_left_out_and_said(request_, monkeypatch):
    without_compiler(monkeypatch)
    done = pipeline.run(request_())
    assert done.verification is None
    assert done.project is not None
    assert "no C compiler found" in done.notes[0]
    with pytest.raises(ToolError):
        pipeline.run(request_(verify=VerifyOptions(required=True)))


def test_everything_found_out_can_be_pickled(request_):
    done = pipeline.run(request_())
    again = pickle.loads(pickle.dumps(done))
    assert again.project.files == done.project.files
    assert again.dispatch.cycles == done.dispatch.cycles
