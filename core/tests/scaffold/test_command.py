import pytest
from acme import Acme

from htvm.cli.main import run
from htvm.plugins.session import open_session
from htvm.scaffold.like import choices_of


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_package_appears_beside_the_user(tmp_path, capsys):
    assert run(["new-target", "zed"]) == 0
    out, err = capsys.readouterr()
    assert (tmp_path / "htvm-zed" / "src" / "htvm_zed" / "plugin.py").is_file()
    assert "htvm-zed/src/htvm_zed/plugin.py" in out
    assert "pip install ./htvm-zed" in err


def test_options_reach_the_package(tmp_path):
    options = ["--layout", "channel-blocks", "--engines", "2", "-o", "here/zed"]
    assert run(["new-target", "zed", *options]) == 0
    source = tmp_path / "here" / "zed" / "src" / "htvm_zed"
    assert "channel_blocks" in (source / "engine.py").read_text()
    assert "[engine.npu1]" in (source / "hardware.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["Zed"], "E150"),
        (["zed", "--engines", "0"], "E100"),
        (["zed", "--engines", "7"], "E100"),
        (["zed", "--layout", "diagonal"], "E100"),
        (["zed", "--like", "no-such-target"], "E140"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(arguments, code, tmp_path, capsys):
    assert run(["new-target", *arguments]) != 0
    assert f"HTVM-{code}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_second_time_nothing_is_written_over(capsys):
    assert run(["new-target", "zed"]) == 0
    assert run(["new-target", "zed"]) == 2
    assert "HTVM-E151" in capsys.readouterr().err


def test_the_page_on_another_target_tells_its_choices():
    page = choices_of(open_session(Acme))
    assert page.startswith("# How acme chose\n")
    assert "| `spm` | 1,024 | 4 |" in page
    assert "- the kernel is 1x1" in page
    assert "`acme_emulator.c`: emulation" in page
