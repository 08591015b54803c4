"""Every op of the integer graph through TVM and the printer equals the reference, bit for bit."""

from dataclasses import replace

import pytest


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("gcc", ("-O0",)),
        ("gcc", ("-O3",)),
        ("clang", ("-O2",)),
        ("gcc", ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover")),
    ],
    ids=["gcc-O0", "gcc-O3", "clang", "sanitizers"],
)
def test_equals_the_reference(cases, run_program, compiler, flags):
    result = run_program(cases, compiler, *flags)

    assert (result.stdout, result.stderr) == ("done 0\n", "")


def test_default_lowering_equals_the_reference(unscheduled_cases, run_program):
    result = run_program(unscheduled_cases, "gcc", "-O1")

    assert result.stdout == "done 0\n"


def test_a_wrong_kernel_is_noticed(cases, run_program):
    sample, code = cases["sub_then_clip"]
    wrong = replace(code, body=code.body.replace("- ", "+ "))

    result = run_program({"wrong": (sample, wrong)}, "gcc")

    assert "wrong differs at" in result.stdout
