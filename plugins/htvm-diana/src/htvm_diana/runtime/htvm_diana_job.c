/* Job -> records. See htvm_diana_job.h for what is known of the record and what is assumed. */
#include "htvm_diana_job.h"

#include <stddef.h>

enum { POINTER_BITS = 18, COUNT_BITS = 16, SHIFT_BITS = 5, NIBBLE_BITS = 4, FLAG_BITS = 1 };

typedef struct {
  htvm_diana_record *record;
  const char *misfit;
} encoder;

static uint32_t groups(uint32_t count) {
  return count / HTVM_DIANA_LANES + (count % HTVM_DIANA_LANES != 0);
}

static void expect(encoder *out, int fits, const char *name) {
  if (!fits && out->misfit == NULL) {
    out->misfit = name;
  }
}

static void put(encoder *out, int word, uint32_t bits, uint64_t value, const char *name) {
  expect(out, value >> bits == 0, name);
  out->record->word[word] = (uint32_t)value;
}

static void put_common(encoder *out, const htvm_diana_job *job, uint32_t mode) {
  put(out, HTVM_DIANA_WORD_MODE, 2, mode, "mode");
  put(out, HTVM_DIANA_WORD_SHIFT, SHIFT_BITS, job->shift, "shift");
  put(out, HTVM_DIANA_WORD_RELU, FLAG_BITS, job->relu, "relu");
  put(out, HTVM_DIANA_WORD_LAYOUT, 2, HTVM_DIANA_LAYOUT_COLUMNS, "layout");
}

static void put_pointers(encoder *out, uint64_t weights, uint64_t input, uint64_t output) {
  put(out, HTVM_DIANA_WORD_WEIGHTS, POINTER_BITS, weights, "weights");
  put(out, HTVM_DIANA_WORD_INPUT, POINTER_BITS, input, "input");
  put(out, HTVM_DIANA_WORD_OUTPUT, POINTER_BITS, output, "output");
}

static void put_padding(encoder *out, const htvm_diana_job *job) {
  expect(out, job->pad_side >> NIBBLE_BITS == 0, "pad_side");
  expect(out, job->pad_top >> NIBBLE_BITS == 0, "pad_top");
  expect(out, job->pad_bottom >> NIBBLE_BITS == 0, "pad_bottom");
  out->record->word[HTVM_DIANA_WORD_PADDING] =
      job->pad_side | (job->pad_top << 8) | (job->pad_bottom << 12);
}

static void put_plane(encoder *out, const htvm_diana_job *job) {
  expect(out, job->ox >> COUNT_BITS == 0, "ox");
  expect(out, job->stride == 1 || job->stride == 2, "stride");
  put(out, HTVM_DIANA_WORD_CX, COUNT_BITS, job->cx, "cx");
  put(out, HTVM_DIANA_WORD_CY, COUNT_BITS, job->cy, "cy");
  put(out, HTVM_DIANA_WORD_PITCH, POINTER_BITS, job->cx_pitch, "cx_pitch");
  put(out, HTVM_DIANA_WORD_CHANNEL_SIZE, POINTER_BITS, job->channel_size, "channel_size");
  put(out, HTVM_DIANA_WORD_FX, NIBBLE_BITS, job->fx, "fx");
  put(out, HTVM_DIANA_WORD_FY, NIBBLE_BITS, job->fy, "fy");
  put(out, HTVM_DIANA_WORD_OX, COUNT_BITS, groups(job->ox), "ox");
  put(out, HTVM_DIANA_WORD_OY, COUNT_BITS, job->oy, "oy");
  put(out, HTVM_DIANA_WORD_OUTPUT_SIZE, POINTER_BITS,
      (uint64_t)groups(job->ox) * HTVM_DIANA_LANES * job->oy, "output plane (ox * oy)");
  put(out, HTVM_DIANA_WORD_DILATION, FLAG_BITS, 1, "dilation");
  put(out, HTVM_DIANA_WORD_STRIDE, FLAG_BITS, job->stride == 2, "stride");
  put_padding(out, job);
  out->record->word[HTVM_DIANA_WORD_USED_COLUMNS] = job->ox;
}

static void put_channels(encoder *out, uint32_t c, uint32_t k, uint32_t used) {
  put(out, HTVM_DIANA_WORD_C, COUNT_BITS, c, "c");
  put(out, HTVM_DIANA_WORD_K, COUNT_BITS, k, "k");
  out->record->word[HTVM_DIANA_WORD_USED_CHANNELS] = used;
}

static void encode_conv(encoder *out, const htvm_diana_job *job) {
  put_common(out, job, 1);
  put_plane(out, job);
  put_pointers(out, job->weights, job->input, job->output);
  put_channels(out, job->c, groups(job->k), job->k);
}

static void encode_depthwise(encoder *out, const htvm_diana_job *job, uint32_t channel) {
  const uint64_t block = (uint64_t)HTVM_DIANA_LANES * job->fx * job->fy + HTVM_DIANA_CONV_BIAS;
  const uint64_t slot = 4 * (channel % 4);

  expect(out, job->c >> COUNT_BITS == 0, "c");
  expect(out, job->k == job->c, "k (depthwise: k = c)");
  put_common(out, job, 1);
  put_plane(out, job);
  put_pointers(out, job->weights + channel / 4 * block + slot,
               job->input + (uint64_t)channel * job->channel_size,
               job->output + (uint64_t)channel * out->record->word[HTVM_DIANA_WORD_OUTPUT_SIZE]);
  put_channels(out, 1, 1, 1);
}

static void encode_dense(encoder *out, const htvm_diana_job *job, uint32_t launch) {
  const uint32_t first = launch * HTVM_DIANA_LANES;
  const uint32_t left = job->k - first;
  const uint32_t inputs = groups(job->c);
  const uint64_t block =
      (uint64_t)inputs * HTVM_DIANA_LANES * HTVM_DIANA_LANES + HTVM_DIANA_DENSE_BIAS;

  put_common(out, job, 0);
  put(out, HTVM_DIANA_WORD_DILATION, FLAG_BITS, 1, "dilation");
  put_pointers(out, job->weights + launch * block, job->input, (uint64_t)job->output + first);
  put_channels(out, inputs, 1, left < HTVM_DIANA_LANES ? left : HTVM_DIANA_LANES);
}

static void encode_sum(encoder *out, const htvm_diana_job *job) {
  expect(out, job->relu == 0, "relu (the sum has none)");
  expect(out, job->c % HTVM_DIANA_LANES == 0, "c (sum: a multiple of 16)");
  put_common(out, job, 3);
  put_pointers(out, job->input, job->input2, job->output);
  put_channels(out, job->c / HTVM_DIANA_LANES, 0, 0);
}

uint32_t htvm_diana_launches(const htvm_diana_job *job) {
  if (job->mode == HTVM_DIANA_DEPTHWISE) {
    return job->c;
  }
  return job->mode == HTVM_DIANA_DENSE ? groups(job->k) : 1;
}

const char *htvm_diana_encode(const htvm_diana_job *job, uint32_t launch,
                              htvm_diana_record *record) {
  encoder out;
  int word;

  out.record = record;
  out.misfit = NULL;
  for (word = 0; word < HTVM_DIANA_RECORD_WORDS; word++) {
    record->word[word] = 0;
  }
  switch (job->mode) {
    case HTVM_DIANA_CONV2D: encode_conv(&out, job); break;
    case HTVM_DIANA_DEPTHWISE: encode_depthwise(&out, job, launch); break;
    case HTVM_DIANA_DENSE: encode_dense(&out, job, launch); break;
    case HTVM_DIANA_SUM: encode_sum(&out, job); break;
    default: out.misfit = "mode"; break;
  }
  return out.misfit;
}

void htvm_diana_chip_record(htvm_diana_record *record) {
  record->word[HTVM_DIANA_WORD_USED_COLUMNS] = 0;
  record->word[HTVM_DIANA_WORD_USED_CHANNELS] = 0;
}

uint64_t htvm_diana_weight_bytes(const htvm_diana_record *record) {
  const uint32_t *word = record->word;
  const uint64_t row = (uint64_t)word[HTVM_DIANA_WORD_C] * HTVM_DIANA_LANES;

  switch (word[HTVM_DIANA_WORD_MODE]) {
    case 0:
      return word[HTVM_DIANA_WORD_K] * (row * HTVM_DIANA_LANES + HTVM_DIANA_DENSE_BIAS);
    case 1:
      return word[HTVM_DIANA_WORD_K] *
             (row * word[HTVM_DIANA_WORD_FX] * word[HTVM_DIANA_WORD_FY] + HTVM_DIANA_CONV_BIAS);
    default: return 0;
  }
}
