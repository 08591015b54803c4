"""The 32 words of a job record."""

import pytest

MODE, WEIGHTS, INPUT, OUTPUT, C, K, CX, CY, PITCH, CHANNEL_SIZE, FX, FY, OX, OY = range(14)
RELU, LAYOUT, OUTPUT_SIZE, DILATION, STOP, SHIFT, PADDING = range(14, 21)
STRIDE = 24


@pytest.fixture
def encode(idle):
    def run(launch=0, **fields):
        record = idle.ffi.new("htvm_diana_record *")
        misfit = idle.lib.htvm_diana_encode(idle.job(**fields), launch, record)
        assert misfit == idle.ffi.NULL
        return list(record.word)

    return run


def conv(**changes):
    job = {
        "mode": 1, "input": 16, "output": 4096, "weights": 32, "c": 3, "k": 20, "cx": 18,
        "cx_pitch": 32, "cy": 9, "channel_size": 320, "fx": 5, "fy": 3, "ox": 17, "oy": 9,
        "stride": 1, "relu": 1, "shift": 7, "pad_top": 2, "pad_bottom": 1, "pad_side": 3,
    }  # fmt: skip
    return job | changes


def test_conv(encode):
    words = encode(**conv())

    expected = {
        MODE: 1, WEIGHTS: 32, INPUT: 16, OUTPUT: 4096, C: 3, K: 2, CX: 18, CY: 9, PITCH: 32,
        CHANNEL_SIZE: 320, FX: 5, FY: 3, OX: 2, OY: 9, RELU: 1, LAYOUT: 2, OUTPUT_SIZE: 288,
        DILATION: 1, STOP: 0, SHIFT: 7, PADDING: 3 | 2 << 8 | 1 << 12, STRIDE: 0,
    }  # fmt: skip
    assert {index: words[index] for index in expected} == expected


def test_stride_is_a_flag(encode):
    assert encode(**conv(stride=2))[STRIDE] == 1


def test_depthwise_is_one_conv_a_channel(idle, encode):
    fields = conv(mode=2, c=6, k=6)
    words = encode(5, **fields)

    block = 16 * 15 + 64
    assert idle.lib.htvm_diana_launches(idle.job(**fields)) == 6
    assert words[MODE] == 1
    assert (words[C], words[K]) == (1, 1)
    assert words[INPUT] == 16 + 5 * 320
    assert words[OUTPUT] == 4096 + 5 * 288
    assert words[WEIGHTS] == 32 + block + 4


def test_dense_is_one_launch_per_16_outputs(idle, encode):
    fields = {"mode": 0, "c": 33, "k": 20, "output": 64, "shift": 3}
    words = encode(1, **fields)

    assert idle.lib.htvm_diana_launches(idle.job(**fields)) == 2
    assert (words[MODE], words[C], words[K]) == (0, 3, 1)
    assert words[WEIGHTS] == 3 * 256 + 256
    assert words[OUTPUT] == 80


def test_sum_has_its_first_operand_in_the_weights_word(encode):
    words = encode(mode=3, input=32, input2=64, output=96, c=48, shift=1)

    assert (words[MODE], words[WEIGHTS], words[INPUT], words[OUTPUT]) == (3, 32, 64, 96)
    assert words[C] == 3


def test_chip_gets_its_last_words_empty(idle):
    record = idle.ffi.new("htvm_diana_record *")
    idle.lib.htvm_diana_encode(idle.job(**conv()), 0, record)
    assert any(list(record.word)[28:])

    idle.lib.htvm_diana_chip_record(record)

    assert not any(list(record.word)[28:])
