"""Train and quantise the digits network, and write everything the example ships.

Needs ``pip install torch scikit-learn onnx numpy``. The data is scikit-learn's copy of the UCI
handwritten digits: 1797 images of 8x8 pixels with 17 grey levels. The last fifth of a fixed
shuffle is the test set; training and calibration never see it.

Quantisation follows the arithmetic of an engine with a shift and no multiplier: one scale per
tensor, rounding in the bias, and weight scales chosen so that every requantisation is a power of
two. Writes ``digits.onnx`` (integers, Conv -> Div -> Floor -> Clip), ``digits_float.onnx`` and
``test.npz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
INPUT_SCALE = 1 / 16
SEED = 7


class Digits(nn.Module):
    """Convolution, a residual block with a depthwise layer, two more convolutions, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.reduce = nn.Conv2d(16, 48, 3, stride=2, padding=1)
        self.mix = nn.Conv2d(48, 48, 3)
        self.classify = nn.Linear(48, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        stem = torch.relu(self.stem(image))
        branch = self.pointwise(torch.relu(self.depthwise(stem)))
        block = torch.relu(stem + branch)
        mixed = torch.relu(self.mix(torch.relu(self.reduce(block))))
        return self.classify(mixed.mean((2, 3)))

    def activations(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every tensor that gets a scale, by name."""
        stem = torch.relu(self.stem(image))
        depthwise = torch.relu(self.depthwise(stem))
        branch = self.pointwise(depthwise)
        block = torch.relu(stem + branch)
        reduced = torch.relu(self.reduce(block))
        mixed = torch.relu(self.mix(reduced))
        pooled = mixed.mean((2, 3))
        return {
            "stem": stem,
            "depthwise": depthwise,
            "branch": branch,
            "block": block,
            "reduce": reduced,
            "mix": mixed,
            "pool": pooled,
            "classify": self.classify(pooled),
        }


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, test images and labels; images ``(n, 1, 8, 8)``, values 0..16."""
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    images = digits.images[order, None].astype(np.int8)
    labels = digits.target[order].astype(np.int64)
    cut = len(order) * 4 // 5
    return images[:cut], labels[:cut], images[cut:], labels[cut:]


def train(images: np.ndarray, labels: np.ndarray) -> Digits:
    """Cross-entropy, Adam with a cosine schedule."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    network = Digits()
    x = torch.tensor(images, dtype=torch.float32) * INPUT_SCALE
    y = torch.tensor(labels)
    epochs, batch = 60, 64
    optimiser = torch.optim.Adam(network.parameters(), lr=4e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
        schedule.step()
    return network.eval()


def best_scale(values: np.ndarray) -> float:
    """The scale of symmetric int8 that loses the least, by mean squared error."""
    top = float(np.abs(values).max()) / 127

    def error(scale: float) -> float:
        rounded = np.clip(np.rint(values / scale), -128, 127) * scale
        return float(np.square(values - rounded).mean())

    return min((top * factor for factor in np.linspace(0.5, 1.0, 26)), key=error)


@dataclass(frozen=True)
class Layer:
    """Integer weights (int8 range), bias with the rounding in it, and the shift."""

    weight: np.ndarray
    bias: np.ndarray
    shift: int


def quantise(weight: np.ndarray, bias: np.ndarray, scale_in: float, scale_out: float) -> Layer:
    """The largest shift whose power-of-two requantisation keeps every weight in int8.

    Only the product ``scale_in * weight scale / scale_out`` has to be a power of two, so the
    weight scale follows from the shift.
    """
    limit = float(np.abs(weight).max()) / 127
    shift = int(np.floor(np.log2(scale_out / (scale_in * limit))))
    scale = scale_out / (scale_in * 2**shift)
    return Layer(
        weight=np.clip(np.rint(weight / scale), -128, 127),
        bias=np.rint(bias / (scale_in * scale)) + 2 ** (shift - 1),
        shift=shift,
    )


class Writer:
    """Collects ONNX nodes and float-held integer initialisers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray | float) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def requantise(self, name: str, x: str, shift: int, *, relu: bool) -> str:
        if shift:
            x = self.node("Div", [x, self.constant(f"{name}_step", 2.0**shift)], f"{name}_div")
        x = self.node("Floor", [x], f"{name}_floor")
        low = self.constant(f"{name}_low", 0.0 if relu else -128.0)
        return self.node("Clip", [x, low, self.constant(f"{name}_high", 127.0)], name)

    def layer(
        self, name: str, op: str, x: str, layer: Layer, *, relu: bool, **attributes: object
    ) -> str:
        weight = self.constant(f"{name}_weight", layer.weight)
        bias = self.constant(f"{name}_bias", layer.bias)
        total = self.node(op, [x, weight, bias], f"{name}_sum", **attributes)
        return self.requantise(name, total, layer.shift, relu=relu)

    def save(self, path: Path, outputs: str, metadata: dict[str, str]) -> None:
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
            [helper.make_tensor_value_info(outputs, TensorProto.FLOAT, [1, 10])],
            self.initialisers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="digits"
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        onnx.save(model, path)


CONVOLUTIONS: dict[str, dict[str, object]] = {
    "stem": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    "depthwise": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "group": 16},
    "pointwise": {"kernel_shape": [1, 1]},
    "reduce": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    "mix": {"kernel_shape": [3, 3]},
}


def parameters(network: Digits, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of a layer."""
    module = getattr(network, name)
    return module.weight.detach().numpy(), module.bias.detach().numpy()


def write_float(network: Digits, path: Path) -> None:
    """The network as trained, its input the same 0..16 grey levels."""
    out = Writer()

    def convolution(name: str, x: str) -> str:
        weight, bias = parameters(network, name)
        names = [out.constant(f"{name}_weight", weight), out.constant(f"{name}_bias", bias)]
        return out.node("Conv", [x, *names], name, **CONVOLUTIONS[name])

    def relu(x: str) -> str:
        return out.node("Relu", [x], f"{x}_relu")

    scaled = out.node("Mul", ["image", out.constant("input_scale", INPUT_SCALE)], "scaled")
    stem = relu(convolution("stem", scaled))
    branch = convolution("pointwise", relu(convolution("depthwise", stem)))
    block = relu(out.node("Add", [stem, branch], "block"))
    mixed = relu(convolution("mix", relu(convolution("reduce", block))))
    pool = out.node("GlobalAveragePool", [mixed], "pool")
    flat = out.node("Flatten", [pool], "flat")
    weight, bias = parameters(network, "classify")
    names = [out.constant("classify_weight", weight), out.constant("classify_bias", bias)]
    out.save(path, out.node("Gemm", [flat, *names], "classify", transB=1), {})


def write_integer(network: Digits, images: np.ndarray, path: Path) -> None:
    """The network in integers, calibrated on training images."""
    with torch.no_grad():
        seen = network.activations(torch.tensor(images, dtype=torch.float32) * INPUT_SCALE)
    values = {name: tensor.numpy() for name, tensor in seen.items()}
    # An engine adds without rescaling: both sides of the residual add and its sum share a scale.
    shared = best_scale(
        np.concatenate([values[name].ravel() for name in ("stem", "branch", "block")])
    )
    scale = {name: best_scale(tensor) for name, tensor in values.items()}
    scale.update(stem=shared, branch=shared, block=shared, pool=scale["mix"])
    out = Writer()

    def layer(name: str, scale_in: float, scale_out: float) -> Layer:
        return quantise(*parameters(network, name), scale_in, scale_out)

    def convolution(name: str, x: str, scale_in: float, scale_out: float, *, relu: bool) -> str:
        made = layer(name, scale_in, scale_out)
        return out.layer(name, "Conv", x, made, relu=relu, **CONVOLUTIONS[name])

    stem = convolution("stem", "image", INPUT_SCALE, shared, relu=True)
    depthwise = convolution("depthwise", stem, shared, scale["depthwise"], relu=True)
    branch = convolution("pointwise", depthwise, scale["depthwise"], shared, relu=False)
    block = out.requantise("block", out.node("Add", [stem, branch], "block_sum"), 0, relu=True)
    reduced = convolution("reduce", block, shared, scale["reduce"], relu=True)
    mixed = convolution("mix", reduced, scale["reduce"], scale["mix"], relu=True)
    mean = out.node("GlobalAveragePool", [mixed], "pool_mean")
    pool = out.requantise("pool", out.node("Flatten", [mean], "pool_flat"), 0, relu=False)
    head = layer("classify", scale["pool"], scale["classify"])
    logits = out.layer("classify", "Gemm", pool, head, relu=False, transB=1)
    scales = {"input_scale": repr(INPUT_SCALE), "output_scale": repr(float(scale["classify"]))}
    out.save(path, logits, scales)


def main() -> None:
    """Train, quantise, write."""
    images, labels, test_images, test_labels = load()
    network = train(images, labels)
    write_float(network, HERE / "digits_float.onnx")
    write_integer(network, images[:200], HERE / "digits.onnx")
    np.savez_compressed(HERE / "test.npz", images=test_images, labels=test_labels)
    with torch.no_grad():
        logits = network(torch.tensor(test_images, dtype=torch.float32) * INPUT_SCALE)
    share = float((logits.argmax(1).numpy() == test_labels).mean())
    print(f"float accuracy on {len(test_labels)} test images: {share:.2%}")


if __name__ == "__main__":
    main()
