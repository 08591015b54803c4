/* Which records the core takes, what they touch, and how long they run. */
#include "htvm_diana_emulator.h"

enum { SUM_BYTES_A_ROW = HTVM_DIANA_LANES * HTVM_DIANA_LANES };

static int check_kernel(uint32_t size, const char *axis) {
  if (size == 1 || size == 3 || size == 5 || size == 7) {
    return 1;
  }
  htvm_diana_fault("job: kernel of %u %s, the core has 1, 3, 5 and 7", (unsigned)size, axis);
  return 0;
}

static int check_aligned(uint32_t value, uint32_t unit, const char *what) {
  if (value % unit == 0) {
    return 1;
  }
  htvm_diana_fault("job: %s %u is not a multiple of %u", what, (unsigned)value, (unsigned)unit);
  return 0;
}

static int check_reach(uint32_t outputs, uint32_t stride, uint32_t kernel, uint32_t available,
                       const char *axis) {
  const uint64_t needed = (uint64_t)(outputs - 1) * stride + kernel;

  if (needed <= available) {
    return 1;
  }
  htvm_diana_fault("job: %u output %s need %llu input %s, there are %u with padding",
                   (unsigned)outputs, axis, (unsigned long long)needed, axis,
                   (unsigned)available);
  return 0;
}

static int check_counts(const uint32_t *word) {
  if (word[HTVM_DIANA_WORD_CX] == 0 || word[HTVM_DIANA_WORD_CY] == 0 ||
      word[HTVM_DIANA_WORD_OX] == 0 || word[HTVM_DIANA_WORD_OY] == 0) {
    htvm_diana_fault("job: empty plane (cx %u, cy %u, ox in 16s %u, oy %u)",
                     (unsigned)word[HTVM_DIANA_WORD_CX], (unsigned)word[HTVM_DIANA_WORD_CY],
                     (unsigned)word[HTVM_DIANA_WORD_OX], (unsigned)word[HTVM_DIANA_WORD_OY]);
    return 0;
  }
  if (word[HTVM_DIANA_WORD_CX] > word[HTVM_DIANA_WORD_PITCH]) {
    htvm_diana_fault("job: rows of %u columns do not fit a cx_pitch of %u",
                     (unsigned)word[HTVM_DIANA_WORD_CX], (unsigned)word[HTVM_DIANA_WORD_PITCH]);
    return 0;
  }
  return 1;
}

static int check_plane(const uint32_t *word) {
  const uint32_t padding = word[HTVM_DIANA_WORD_PADDING];
  const uint32_t rows =
      ((padding >> 8) & 15U) + word[HTVM_DIANA_WORD_CY] + ((padding >> 12) & 15U);
  const uint32_t columns = 2 * (padding & 15U) + word[HTVM_DIANA_WORD_CX];
  const uint32_t stride = word[HTVM_DIANA_WORD_STRIDE] + 1;

  return check_counts(word) && check_kernel(word[HTVM_DIANA_WORD_FX], "columns") &&
         check_kernel(word[HTVM_DIANA_WORD_FY], "rows") &&
         check_aligned(word[HTVM_DIANA_WORD_PITCH], HTVM_DIANA_LANES, "cx_pitch") &&
         check_aligned(word[HTVM_DIANA_WORD_CHANNEL_SIZE], HTVM_DIANA_LANES, "channel_size") &&
         check_reach(word[HTVM_DIANA_WORD_USED_COLUMNS], stride, word[HTVM_DIANA_WORD_FX],
                     columns, "columns") &&
         check_reach(word[HTVM_DIANA_WORD_OY], stride, word[HTVM_DIANA_WORD_FY], rows, "rows");
}

static int check_pointers(const uint32_t *word) {
  return check_aligned(word[HTVM_DIANA_WORD_INPUT], HTVM_DIANA_LANES, "input address") &&
         check_aligned(word[HTVM_DIANA_WORD_OUTPUT], HTVM_DIANA_LANES, "output address");
}

static int check_apart(uint32_t in, uint64_t in_size, uint32_t out, uint64_t out_size) {
  if (in + in_size <= out || out + out_size <= in) {
    return 1;
  }
  htvm_diana_fault("job: its output, from %u of L1 on, overlaps its input, from %u on",
                   (unsigned)out, (unsigned)in);
  return 0;
}

/* Weights are read in words; the last biases of unused lanes may lie past the end. */
static int check_weights(const htvm_diana_record *record) {
  const uint32_t used = (record->word[HTVM_DIANA_WORD_USED_CHANNELS] - 1) % HTVM_DIANA_LANES + 1;
  const uint32_t unused = HTVM_DIANA_LANES - (used + 3) / 4 * 4;
  const uint32_t lane_bytes = record->word[HTVM_DIANA_WORD_MODE] == 0 ? 16 : 1;

  return htvm_diana_inside(&htvm_diana_weight_memory, record->word[HTVM_DIANA_WORD_WEIGHTS],
                           htvm_diana_weight_bytes(record) - unused * lane_bytes,
                           "job: its weights");
}

static int check_conv(const htvm_diana_record *record) {
  const uint32_t *word = record->word;
  const uint64_t in_size =
      (uint64_t)(word[HTVM_DIANA_WORD_C] - 1) * word[HTVM_DIANA_WORD_CHANNEL_SIZE] +
      (uint64_t)(word[HTVM_DIANA_WORD_CY] - 1) * word[HTVM_DIANA_WORD_PITCH] +
      word[HTVM_DIANA_WORD_CX];
  const uint64_t out_size = (uint64_t)word[HTVM_DIANA_WORD_K] * HTVM_DIANA_LANES *
                            word[HTVM_DIANA_WORD_OUTPUT_SIZE];

  return check_plane(word) && check_pointers(word) && check_weights(record) &&
         htvm_diana_inside(&htvm_diana_l1, word[HTVM_DIANA_WORD_INPUT], in_size,
                           "job: its input") &&
         htvm_diana_inside(&htvm_diana_l1, word[HTVM_DIANA_WORD_OUTPUT], out_size,
                           "job: its output, whole groups of 16,") &&
         check_apart(word[HTVM_DIANA_WORD_INPUT], in_size, word[HTVM_DIANA_WORD_OUTPUT],
                     out_size);
}

static int check_dense(const htvm_diana_record *record) {
  const uint32_t *word = record->word;
  const uint64_t in_size = (uint64_t)word[HTVM_DIANA_WORD_C] * HTVM_DIANA_LANES;
  const uint64_t out_size = (uint64_t)word[HTVM_DIANA_WORD_K] * HTVM_DIANA_LANES;

  return check_pointers(word) && check_weights(record) &&
         htvm_diana_inside(&htvm_diana_l1, word[HTVM_DIANA_WORD_INPUT], in_size,
                           "job: its input, whole groups of 16,") &&
         htvm_diana_inside(&htvm_diana_l1, word[HTVM_DIANA_WORD_OUTPUT], out_size,
                           "job: its output, whole groups of 16,") &&
         check_apart(word[HTVM_DIANA_WORD_INPUT], in_size, word[HTVM_DIANA_WORD_OUTPUT],
                     out_size);
}

/* A sum may write over an operand byte for byte, but not half of it. */
static int check_operand(uint32_t operand, uint32_t out, uint64_t size) {
  return htvm_diana_inside(&htvm_diana_l1, operand, size, "job: its input") &&
         (operand == out || check_apart(operand, size, out, size));
}

static int check_sum(const uint32_t *word) {
  const uint64_t size = (uint64_t)word[HTVM_DIANA_WORD_C] * HTVM_DIANA_LANES;
  const uint32_t out = word[HTVM_DIANA_WORD_OUTPUT];

  return check_pointers(word) &&
         check_aligned(word[HTVM_DIANA_WORD_WEIGHTS], HTVM_DIANA_LANES, "input address") &&
         htvm_diana_inside(&htvm_diana_l1, out, size, "job: its output") &&
         check_operand(word[HTVM_DIANA_WORD_WEIGHTS], out, size) &&
         check_operand(word[HTVM_DIANA_WORD_INPUT], out, size);
}

int htvm_diana_check_record(const htvm_diana_record *record) {
  switch (record->word[HTVM_DIANA_WORD_MODE]) {
    case 0: return check_dense(record);
    case 1: return check_conv(record);
    default: return check_sum(record->word);
  }
}

/* MATCH: for each row of 16 x 16 results, kernel rows that lie in the padding cost nothing. */
static uint64_t row_cycles(uint64_t c, uint64_t kernel_rows, uint64_t fx) {
  return c * kernel_rows * (fx + HTVM_DIANA_KERNEL_ROW_CYCLES) + HTVM_DIANA_ROW_CYCLES;
}

static uint32_t kernel_rows_inside(const uint32_t *word, uint32_t y) {
  const int64_t top = (word[HTVM_DIANA_WORD_PADDING] >> 8) & 15U;
  const int64_t first = (int64_t)y * (word[HTVM_DIANA_WORD_STRIDE] + 1) - top;
  uint32_t inside = 0;
  uint32_t i;

  for (i = 0; i < word[HTVM_DIANA_WORD_FY]; i++) {
    inside += first + i >= 0 && first + i < (int64_t)word[HTVM_DIANA_WORD_CY];
  }
  return inside;
}

static uint64_t conv_cycles(const uint32_t *word) {
  uint64_t plane = 0;
  uint32_t y;

  for (y = 0; y < word[HTVM_DIANA_WORD_OY]; y++) {
    plane += row_cycles(word[HTVM_DIANA_WORD_C], kernel_rows_inside(word, y),
                        word[HTVM_DIANA_WORD_FX]);
  }
  return plane * word[HTVM_DIANA_WORD_OX] * word[HTVM_DIANA_WORD_K];
}

uint64_t htvm_diana_record_cycles(const htvm_diana_record *record) {
  const uint32_t *word = record->word;
  const uint64_t c = (uint64_t)word[HTVM_DIANA_WORD_C] * HTVM_DIANA_LANES;

  switch (word[HTVM_DIANA_WORD_MODE]) {
    case 0: return word[HTVM_DIANA_WORD_K] * row_cycles(c, 1, 1);
    case 1: return conv_cycles(word);
    default: return (c + SUM_BYTES_A_ROW - 1) / SUM_BYTES_A_ROW * row_cycles(1, 1, 1);
  }
}
