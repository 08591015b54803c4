"""Deploy the digits network to DIANA and compare its accuracy before and after.

Before: the float network, run by onnx's reference evaluator. After: the generated C, run on this
machine with the accelerator emulated. Both see the same 360 test images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx.reference import ReferenceEvaluator

from htvm.cli.main import run

HERE = Path(__file__).parent


def float_accuracy() -> float:
    """Top-1 of the network as trained, in float."""
    test = np.load(HERE / "test.npz")
    network = ReferenceEvaluator(str(HERE / "digits_float.onnx"))
    images = test["images"].astype(np.float32)
    found = [network.run(None, {"image": image[None]})[0].argmax() for image in images]
    return float((np.array(found) == test["labels"]).mean())


def main() -> int:
    """Deploy as ``htvm deploy`` does, after saying what to expect."""
    print(f"   float network: accuracy {float_accuracy():.2%}", file=sys.stderr)
    network, samples = HERE / "digits.onnx", HERE / "test.npz"
    arguments = ["deploy", str(network), "--target", "diana", "--inputs", str(samples)]
    return run([*arguments, "--output", "build/digits-diana"])


if __name__ == "__main__":
    sys.exit(main())
