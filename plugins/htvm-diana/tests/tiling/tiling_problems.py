"""Random layers and random small cores."""

from hypothesis import strategies as st

from htvm_diana.cycles import Core
from htvm_diana.problem import Planes, Problem

NARROW = st.integers(1, 40)


def up(value, step):
    return -(-value // step) * step


@st.composite
def operands(draw, channels, rows, columns):
    """Planes with or without gaps, slack and an offset."""
    pitch = up(columns, 16) + draw(st.sampled_from([0, 0, 0, 16, 32]))
    stride = rows * pitch + draw(st.sampled_from([0, 0, 0, 16, 48]))
    offset = draw(st.sampled_from([0, 0, 16]))
    size = offset + (channels - 1) * stride + rows * pitch
    slack = draw(st.sampled_from([up(size, 32) - size, up(size, 32) - size, 32, 0]))
    return Planes(
        channels=channels,
        rows=rows,
        columns=columns,
        row_pitch_bytes=pitch,
        plane_stride_bytes=stride,
        size_bytes=size + slack,
        offset_bytes=offset,
    )


@st.composite
def convolutions(draw, columns=NARROW):
    """Any kind of convolution the core has, small."""
    form = draw(st.sampled_from(["conv2d", "stacked", "depthwise", "diagonal"]))
    kernel = (draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([1, 3, 5])))
    stride = draw(st.sampled_from([1, 2]))
    top, bottom = draw(st.integers(0, kernel[0] - 1)), draw(st.integers(0, kernel[0] - 1))
    side = draw(st.integers(0, kernel[1] - 1))
    rows = draw(st.integers(max(1, kernel[0] - top - bottom), 14))
    width = max(draw(columns), kernel[1] - 2 * side)
    shape = (rows, width)
    out_rows = (rows + top + bottom - kernel[0]) // stride + 1
    out_columns = (width + 2 * side - kernel[1]) // stride + 1
    inputs = [draw(operands(draw(st.integers(1, 40)), *shape))]
    if form == "stacked":
        pitch = inputs[0].row_pitch_bytes
        channels, extra = draw(st.integers(1, 20)), draw(st.sampled_from([0, 16]))
        plane = rows * pitch + extra
        inputs.append(
            Planes(
                channels=channels,
                rows=rows,
                columns=width,
                row_pitch_bytes=pitch,
                plane_stride_bytes=plane,
                size_bytes=up(channels * plane, 32),
            )
        )
    own = form in ("depthwise", "diagonal")
    outputs = inputs[0].channels if own else draw(st.integers(1, 50))
    return Problem(
        kind="depthwise" if form == "depthwise" else "conv2d",
        inputs=tuple(inputs),
        output=draw(operands(outputs, out_rows, out_columns)),
        kernel=kernel,
        stride=stride,
        pad_top=top,
        pad_bottom=bottom,
        pad_side=side,
        diagonal=form == "diagonal",
    )


def cores():
    """Cores with little memory, either cycle model, and strides that may be too long."""
    return st.builds(
        Core,
        l1_bytes=st.sampled_from([2048, 8192, 16_384, 65_536]),
        weight_bytes=st.sampled_from([1024, 8192, 64_000]),
        model=st.sampled_from(["match", "odimo"]),
        dma_bytes_per_cycle=st.sampled_from([16, 8, 5]),
        dma_chunk_cycles=st.sampled_from([70, 0]),
        dma_stride_max_bytes=st.sampled_from([65_535, 500]),
        depthwise_channels_per_launch=st.sampled_from([1, 4]),
        step_cycles=st.sampled_from([0, 40]),
    )
