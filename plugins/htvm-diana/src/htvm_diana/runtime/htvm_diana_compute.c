/* What the core computes. It reads and writes the scratchpads in its own byte order; results no
 * program asked for (columns and channels that fill up a group of 16) come out as noise. */
#include <string.h>

#include "htvm_diana_emulator.h"

enum { LANES = HTVM_DIANA_LANES, LINE = LANES * 2 + 7 };

typedef struct {
  const uint32_t *word;
  uint32_t stride;
  uint32_t top;
  uint32_t side;
} conv;

typedef struct {
  uint32_t sum[LANES][LANES]; /* column, channel; wraps as the hardware's 32 bits do */
} tile;

/* Weights of one block of 16 output channels, in the core's order, wide enough to multiply. */
static int16_t taps[HTVM_DIANA_WEIGHT_BYTES];
static uint32_t bias[LANES];

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static int8_t requantise(uint32_t sum, const uint32_t *word) {
  int32_t value = (int32_t)sum >> word[HTVM_DIANA_WORD_SHIFT];

  if (word[HTVM_DIANA_WORD_RELU] && value < 0) {
    value = 0;
  }
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

static int missing_weight(uint32_t address) {
  htvm_diana_fault("job: uses byte %u of the weight memory, which was never written",
                   (unsigned)address);
  return 0;
}

static const char *why_unknown(uint32_t address) {
  return htvm_diana_state(&htvm_diana_l1, address) == HTVM_DIANA_GARBAGE
             ? "holds what a job wrote beside its results"
             : "was never written";
}

static int take_taps(uint32_t address, uint32_t count) {
  const htvm_diana_memory *memory = &htvm_diana_weight_memory;
  uint32_t i;

  for (i = 0; i < count; i++) {
    if (!htvm_diana_known(memory, address + i)) {
      return missing_weight(address + i);
    }
    taps[i] = htvm_diana_get(memory, address + i);
  }
  return 1;
}

/* Four planes of bytes, least significant first. Those of unused lanes may lie past the end: a
 * depthwise launch starts in the middle of a block. */
static int take_bias_planes(uint32_t address, uint32_t used) {
  const htvm_diana_memory *memory = &htvm_diana_weight_memory;
  uint32_t plane;
  uint32_t lane;

  memset(bias, 0, sizeof bias);
  for (plane = 0; plane < 4; plane++) {
    for (lane = 0; lane < used; lane++) {
      const uint32_t at = address + plane * LANES + lane;

      if (!htvm_diana_known(memory, at)) {
        return missing_weight(at);
      }
      bias[lane] |= (uint32_t)(uint8_t)htvm_diana_get(memory, at) << (8 * plane);
    }
  }
  return 1;
}

/* Columns (or rows) no output needs are skipped: a 1 x 1 kernel of stride 2 leaves every other
 * one out, and the last ones may lie behind the last output. */
static uint32_t step_between(uint32_t stride, uint32_t kernel) {
  return kernel < stride ? stride : 1;
}

static int check_input_row(const conv *job, uint32_t channel, uint32_t row) {
  const uint32_t *word = job->word;
  const uint32_t step = step_between(job->stride, word[HTVM_DIANA_WORD_FX]);
  const uint32_t reach = (word[HTVM_DIANA_WORD_USED_COLUMNS] - 1) * job->stride +
                         word[HTVM_DIANA_WORD_FX];
  const uint32_t end = reach > job->side ? least(word[HTVM_DIANA_WORD_CX], reach - job->side) : 0;
  const uint32_t address = word[HTVM_DIANA_WORD_INPUT] +
                           channel * word[HTVM_DIANA_WORD_CHANNEL_SIZE] +
                           row * word[HTVM_DIANA_WORD_PITCH];
  uint32_t column;

  for (column = job->side % step; column < end; column += step) {
    if (!htvm_diana_known(&htvm_diana_l1, address + column)) {
      htvm_diana_fault("job: uses channel %u, row %u, column %u of its input, L1 byte %u, which %s",
                       (unsigned)channel, (unsigned)row, (unsigned)column,
                       (unsigned)(address + column), why_unknown(address + column));
      return 0;
    }
  }
  return 1;
}

static int check_input(const conv *job) {
  const uint32_t *word = job->word;
  const uint32_t step = step_between(job->stride, word[HTVM_DIANA_WORD_FY]);
  const uint32_t reach =
      (word[HTVM_DIANA_WORD_OY] - 1) * job->stride + word[HTVM_DIANA_WORD_FY];
  const uint32_t end = reach > job->top ? least(word[HTVM_DIANA_WORD_CY], reach - job->top) : 0;
  uint32_t channel;
  uint32_t row;

  for (channel = 0; channel < word[HTVM_DIANA_WORD_C]; channel++) {
    for (row = job->top % step; row < end; row += step) {
      if (!check_input_row(job, channel, row)) {
        return 0;
      }
    }
  }
  return 1;
}

static void take_line(const conv *job, uint32_t row_address, uint32_t first_column,
                      uint32_t count, int16_t *line) {
  uint32_t i;

  for (i = 0; i < count; i++) {
    const uint32_t column = first_column + i - job->side; /* wraps below 0, so beyond cx */

    line[i] = column < job->word[HTVM_DIANA_WORD_CX]
                  ? htvm_diana_get(&htvm_diana_l1, row_address + column)
                  : 0;
  }
}

static void accumulate(tile *results, const int16_t *line, uint32_t columns, uint32_t stride,
                       uint32_t fx, const int16_t *weights) {
  uint32_t i;
  uint32_t column;
  int lane;

  for (i = 0; i < fx; i++) {
    const int16_t *tap = weights + i * LANES;

    for (column = 0; column < columns; column++) {
      const int16_t value = line[column * stride + i];
      uint32_t *sum = results->sum[column];

      for (lane = 0; lane < LANES; lane++) {
        sum[lane] += (uint32_t)(int16_t)(value * tap[lane]);
      }
    }
  }
}

static void compute_tile(const conv *job, uint32_t y, uint32_t group, uint32_t columns,
                         tile *results) {
  const uint32_t *word = job->word;
  const uint32_t fx = word[HTVM_DIANA_WORD_FX];
  const uint32_t fy = word[HTVM_DIANA_WORD_FY];
  const int16_t *weights = taps;
  int16_t line[LINE];
  uint32_t channel;
  uint32_t i;

  for (i = 0; i < columns; i++) {
    memcpy(results->sum[i], bias, sizeof bias);
  }
  for (channel = 0; channel < word[HTVM_DIANA_WORD_C]; channel++) {
    for (i = 0; i < fy; i++, weights += fx * LANES) {
      const uint32_t row = y * job->stride + i - job->top; /* wraps below 0, so beyond cy */

      if (row < word[HTVM_DIANA_WORD_CY]) {
        take_line(job,
                  word[HTVM_DIANA_WORD_INPUT] + channel * word[HTVM_DIANA_WORD_CHANNEL_SIZE] +
                      row * word[HTVM_DIANA_WORD_PITCH],
                  group * LANES * job->stride, (columns - 1) * job->stride + fx, line);
        accumulate(results, line, columns, job->stride, fx, weights);
      }
    }
  }
}

static void put_tile(const conv *job, uint32_t address, uint32_t columns, uint32_t lanes,
                     const tile *results) {
  uint32_t lane;
  uint32_t column;

  for (lane = 0; lane < lanes; lane++) {
    for (column = 0; column < columns; column++) {
      htvm_diana_put(&htvm_diana_l1,
                     address + lane * job->word[HTVM_DIANA_WORD_OUTPUT_SIZE] + column,
                     requantise(results->sum[column][lane], job->word));
    }
  }
}

static void run_block(const conv *job, uint32_t output, uint32_t lanes) {
  const uint32_t *word = job->word;
  const uint32_t used = word[HTVM_DIANA_WORD_USED_COLUMNS];
  uint32_t y;
  uint32_t group;
  tile results;

  for (y = 0; y < word[HTVM_DIANA_WORD_OY]; y++) {
    for (group = 0; group < word[HTVM_DIANA_WORD_OX]; group++) {
      const uint32_t columns = least(used - group * LANES, LANES);
      const uint32_t offset = (y * word[HTVM_DIANA_WORD_OX] + group) * LANES;

      compute_tile(job, y, group, columns, &results);
      put_tile(job, output + offset, columns, lanes, &results);
    }
  }
}

static void run_conv(const uint32_t *word) {
  const conv job = {word, word[HTVM_DIANA_WORD_STRIDE] + 1,
                    (word[HTVM_DIANA_WORD_PADDING] >> 8) & 15U,
                    word[HTVM_DIANA_WORD_PADDING] & 15U};
  const uint32_t count =
      word[HTVM_DIANA_WORD_C] * word[HTVM_DIANA_WORD_FX] * word[HTVM_DIANA_WORD_FY] * LANES;
  const uint32_t block_size = LANES * word[HTVM_DIANA_WORD_OUTPUT_SIZE];
  uint32_t block;

  if (!check_input(&job)) {
    return;
  }
  htvm_diana_spoil(&htvm_diana_l1, word[HTVM_DIANA_WORD_OUTPUT],
                   word[HTVM_DIANA_WORD_K] * block_size, HTVM_DIANA_GARBAGE);
  for (block = 0; block < word[HTVM_DIANA_WORD_K]; block++) {
    const uint32_t lanes = least(word[HTVM_DIANA_WORD_USED_CHANNELS] - block * LANES, LANES);
    const uint32_t weights =
        word[HTVM_DIANA_WORD_WEIGHTS] + block * (count + HTVM_DIANA_CONV_BIAS);

    if (!take_taps(weights, count) || !take_bias_planes(weights + count, lanes)) {
      return;
    }
    run_block(&job, word[HTVM_DIANA_WORD_OUTPUT] + block * block_size, lanes);
  }
}

/* Of the 16 bytes a channel's bias has, the 32-bit adder takes four; the others repeat its sign. */
static int take_wide_bias(uint32_t address, uint32_t *value) {
  const htvm_diana_memory *memory = &htvm_diana_weight_memory;
  uint32_t i;

  *value = 0;
  for (i = 0; i < LANES; i++) {
    const uint8_t byte = (uint8_t)htvm_diana_get(memory, address + i);

    if (!htvm_diana_known(memory, address + i)) {
      return missing_weight(address + i);
    }
    if (i < 4) {
      *value |= (uint32_t)byte << (8 * i);
    } else if (byte != (*value >> 31 ? 0xFF : 0)) {
      htvm_diana_fault("job: the bias at byte %u of the weight memory is not sign extended",
                       (unsigned)address);
      return 0;
    }
  }
  return 1;
}

/* An input of unknown value may only meet weights that are 0: it fills up the last 16. */
static int add_product(uint32_t input, uint32_t weight, uint32_t *sum) {
  const int factor = htvm_diana_get(&htvm_diana_weight_memory, weight);

  if (!htvm_diana_known(&htvm_diana_weight_memory, weight)) {
    return missing_weight(weight);
  }
  if (factor != 0 && !htvm_diana_known(&htvm_diana_l1, input)) {
    htvm_diana_fault("job: uses L1 byte %u of its input, which %s", (unsigned)input,
                     why_unknown(input));
    return 0;
  }
  *sum += (uint32_t)(factor * htvm_diana_get(&htvm_diana_l1, input));
  return 1;
}

static int run_neuron(const uint32_t *word, uint32_t block, uint32_t lane, int8_t *result) {
  const uint32_t inputs = word[HTVM_DIANA_WORD_C] * LANES;
  uint32_t sum;
  uint32_t i;

  if (!take_wide_bias(block + inputs * LANES + lane * 16, &sum)) {
    return 0;
  }
  for (i = 0; i < inputs; i++) {
    const uint32_t weight = block + i / LANES * LANES * LANES + lane * LANES + i % LANES;

    if (!add_product(word[HTVM_DIANA_WORD_INPUT] + i, weight, &sum)) {
      return 0;
    }
  }
  *result = requantise(sum, word);
  return 1;
}

static void run_dense(const uint32_t *word) {
  const uint32_t outputs = word[HTVM_DIANA_WORD_K] * LANES;
  const uint32_t block_bytes =
      word[HTVM_DIANA_WORD_C] * LANES * LANES + HTVM_DIANA_DENSE_BIAS;
  uint32_t k;
  int8_t result;

  htvm_diana_spoil(&htvm_diana_l1, word[HTVM_DIANA_WORD_OUTPUT], outputs, HTVM_DIANA_GARBAGE);
  for (k = 0; k < word[HTVM_DIANA_WORD_USED_CHANNELS]; k++) {
    const uint32_t block = word[HTVM_DIANA_WORD_WEIGHTS] + k / LANES * block_bytes;

    if (!run_neuron(word, block, k % LANES, &result)) {
      return;
    }
    htvm_diana_put(&htvm_diana_l1, word[HTVM_DIANA_WORD_OUTPUT] + k, result);
  }
}

static int check_operand(uint32_t address) {
  if (htvm_diana_state(&htvm_diana_l1, address) == HTVM_DIANA_UNWRITTEN) {
    htvm_diana_fault("job: adds L1 byte %u, which was never written", (unsigned)address);
    return 0;
  }
  return 1;
}

/* Rows are added with what fills them up: garbage there is no fault, its sum is garbage again. */
static void run_sum(const uint32_t *word) {
  uint32_t i;

  for (i = 0; i < word[HTVM_DIANA_WORD_C] * LANES; i++) {
    const uint32_t a = word[HTVM_DIANA_WORD_WEIGHTS] + i;
    const uint32_t b = word[HTVM_DIANA_WORD_INPUT] + i;
    const uint32_t out = word[HTVM_DIANA_WORD_OUTPUT] + i;
    const int known = htvm_diana_known(&htvm_diana_l1, a) && htvm_diana_known(&htvm_diana_l1, b);

    if (!check_operand(a) || !check_operand(b)) {
      return;
    }
    htvm_diana_put(&htvm_diana_l1, out,
                   requantise((uint32_t)(htvm_diana_get(&htvm_diana_l1, a) +
                                         htvm_diana_get(&htvm_diana_l1, b)),
                              word));
    if (!known) {
      htvm_diana_l1.state[out ^ 3U] = HTVM_DIANA_GARBAGE;
    }
  }
}

void htvm_diana_run_record(const htvm_diana_record *record) {
  switch (record->word[HTVM_DIANA_WORD_MODE]) {
    case 0: run_dense(record->word); break;
    case 1: run_conv(record->word); break;
    default: run_sum(record->word); break;
  }
}
