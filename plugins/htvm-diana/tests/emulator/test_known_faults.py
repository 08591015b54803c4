"""Faults HTVM's and DORY's code for DIANA is known to have: the emulation catches each."""

import diana_facts as facts
import numpy as np


def test_rows_of_16_bytes_spilled_by_a_dma_of_32(chip):
    """Rows of 16 bytes, each moved by a transfer rounded up to 32, run into one another."""
    chip.load(0, 32, count=8, near=16, far=16)

    assert "stride 16 is less than the chunk of 32 bytes, chunks overwrite" in chip.error


def test_width_not_a_multiple_of_16(chip):
    """Rows of 25 bytes packed without filling: the core cannot step to the next one."""
    chip.send(0, np.zeros(25 * 32, np.uint8))
    chip.start(
        mode=1, output=4096, c=1, k=16, cx=25, cx_pitch=25, cy=5, channel_size=25 * 5, fx=1, fy=1,
        ox=25, oy=5, stride=1,
    )  # fmt: skip

    assert "cx_pitch 25 is not a multiple of 16" in chip.error


def test_input_channels_read_beyond_the_array(chip):
    """DORY rounds ResNet8's 3 input channels up to 16 and reads what is not there."""
    x, w = np.zeros((3, 8, 16), np.int8), np.zeros((16, 16, 1, 1), np.int8)
    chip.send(0, facts.planes(x))
    chip.send_weights(facts.conv_weights(w, np.zeros(16, np.int32)))
    chip.start(
        mode=1, output=4096, c=16, k=16, cx=16, cx_pitch=16, cy=8, channel_size=128, fx=1, fy=1,
        ox=16, oy=8, stride=1,
    )  # fmt: skip
    chip.wait()

    assert "uses channel 3, row 0, column 0 of its input" in chip.error


def test_weights_fetched_beyond_their_array(idle):
    """2368 B asked of a weight array of 496 B."""
    regions = [(idle.address(idle.constants), 496, 0)]
    idle.lib.htvm_diana_begin(idle.ffi.new("htvm_region[]", regions), 1)
    idle.load_weights(2368)

    assert "2368 bytes from byte 0 of main memory region 0, which has 496" in idle.error


def test_bias_of_20_channels_taken_as_of_32(chip):
    """Output channels not filled up to 16: block 1 and its bias are not where the core looks."""
    w, bias = np.ones((20, 1, 1, 1), np.int8), np.arange(20, dtype=np.int32)
    packed = facts.conv_weights(w, bias)
    chip.send(0, facts.planes(np.ones((1, 2, 16), np.int8)))
    chip.send_weights(packed[: 20 + 80])
    chip.start(
        mode=1, output=4096, c=1, k=20, cx=16, cx_pitch=16, cy=2, channel_size=32, fx=1, fy=1,
        ox=16, oy=2, stride=1,
    )  # fmt: skip

    chip.wait()

    assert "of the weight memory, which was never written" in chip.error


def test_relu_of_an_add_is_not_dropped(chip):
    chip.start(mode=3, input2=32, output=64, c=32, relu=1)

    assert "relu (the sum has none)" in chip.error


def test_tile_beyond_the_end_of_l1(chip):
    chip.load(255_968, 64)

    assert "load covers bytes 255968 to 256031 of L1, which has 256000" in chip.error


def test_plane_of_65536_bytes(chip):
    """The engine's 16-bit stride wraps to 0."""
    chip.load(0, 32, count=2, near=32, far=65_536)

    assert "main memory stride 65536 does not fit its 16 bits" in chip.error


def test_right_padding_the_record_cannot_tell(chip):
    """TensorFlow's SAME at stride 2 pads the right side only; the core has one field for both."""
    chip.send(0, np.zeros(1024, np.uint8))
    chip.start(
        mode=1, output=4096, c=1, k=16, cx=32, cx_pitch=32, cy=32, channel_size=1024, fx=3, fy=3,
        ox=16, oy=16, stride=2, pad_bottom=1,
    )  # fmt: skip

    assert "16 output columns need 33 input columns, there are 32 with padding" in chip.error


def test_missing_byte_reversal_changes_results(chip):
    x = np.arange(-64, 64, dtype=np.int8).reshape(1, 8, 16)
    w, bias = np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32)
    chip.send_weights(facts.conv_weights(w, bias))
    chip.send(0, x.view(np.uint8).reshape(-1))
    chip.run(
        mode=1, output=4096, c=1, k=1, cx=16, cx_pitch=16, cy=8, channel_size=128, fx=1, fy=1,
        ox=16, oy=8, stride=1,
    )  # fmt: skip

    result = facts.read_planes(chip.fetch(4096, 128), 1, 8, 16)
    assert (result != x).all()


def test_swapped_bias_planes_change_results(chip):
    w, bias = np.zeros((1, 1, 1, 1), np.int8), np.array([0x0000_0140], np.int32)
    packed = facts.conv_weights(w, bias)
    packed[16:48] = np.roll(packed[16:48], 16)
    chip.send(0, facts.planes(np.zeros((1, 2, 16), np.int8)))
    chip.send_weights(packed)
    chip.run(
        mode=1, output=4096, c=1, k=1, cx=16, cx_pitch=16, cy=2, channel_size=32, fx=1, fy=1,
        ox=16, oy=2, stride=1, shift=4,
    )  # fmt: skip

    result = facts.read_planes(chip.fetch(4096, 32), 1, 2, 16)
    assert (result != 0x140 >> 4).all()
