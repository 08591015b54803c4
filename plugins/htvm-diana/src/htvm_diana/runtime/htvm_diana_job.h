/* The digital core's job record, and how a job becomes one or more of them.
 *
 * Known, from the public DIANA driver (dory-hal) and its users: the order of the 32 words, one
 * field a word; mode numbers; k and ox in units of 16, and c too for dense and sum; the padding
 * word (low nibble both sides, bits 8..11 top, 12..15 bottom); the sum's first operand standing
 * in the weights word; a second record whose stop word is 1 after the last job; pointers in bytes.
 *
 * Contested: whether the padding's low nibble is set (MATCH does, HTVM leaves it 0): we set it.
 *
 * Assumed here, and only here: widths of the fields (pointers and plane sizes 18 bits, enough for
 * 256 KiB; counts 16 bits; shift 5; padding 4); the stride word being 1 for stride 2; row pitch
 * and plane size being free rather than the product of the sizes; a weights word that may point
 * at any 4 bytes (the driver shifts the weights it loads instead); dense run 16 outputs a launch.
 *
 * The last four words are empty on the chip. Two of them tell the emulation how much of the 16 x
 * 16 results the program means to use; htvm_diana_chip_record() clears them.
 */
#ifndef HTVM_DIANA_JOB_H
#define HTVM_DIANA_JOB_H

#include "htvm_diana.h"

enum {
  HTVM_DIANA_LANES = 16,       /* columns, and channels, the core computes at once */
  HTVM_DIANA_CONV_BIAS = 64,   /* bytes of bias after a block of convolution weights */
  HTVM_DIANA_DENSE_BIAS = 256, /* bytes of bias after a block of dense weights */
  HTVM_DIANA_LAYOUT_COLUMNS = 2
};

enum {
  HTVM_DIANA_WORD_MODE = 0,
  HTVM_DIANA_WORD_WEIGHTS = 1,
  HTVM_DIANA_WORD_INPUT = 2,
  HTVM_DIANA_WORD_OUTPUT = 3,
  HTVM_DIANA_WORD_C = 4,
  HTVM_DIANA_WORD_K = 5,
  HTVM_DIANA_WORD_CX = 6,
  HTVM_DIANA_WORD_CY = 7,
  HTVM_DIANA_WORD_PITCH = 8,
  HTVM_DIANA_WORD_CHANNEL_SIZE = 9,
  HTVM_DIANA_WORD_FX = 10,
  HTVM_DIANA_WORD_FY = 11,
  HTVM_DIANA_WORD_OX = 12,
  HTVM_DIANA_WORD_OY = 13,
  HTVM_DIANA_WORD_RELU = 14,
  HTVM_DIANA_WORD_LAYOUT = 15,
  HTVM_DIANA_WORD_OUTPUT_SIZE = 16,
  HTVM_DIANA_WORD_DILATION = 17,
  HTVM_DIANA_WORD_STOP = 18,
  HTVM_DIANA_WORD_SHIFT = 19,
  HTVM_DIANA_WORD_PADDING = 20,
  HTVM_DIANA_WORD_STRIDE = 24,
  HTVM_DIANA_WORD_USED_COLUMNS = 28,
  HTVM_DIANA_WORD_USED_CHANNELS = 29,
  HTVM_DIANA_RECORD_WORDS = 32
};

typedef struct {
  uint32_t word[HTVM_DIANA_RECORD_WORDS];
} htvm_diana_record;

/* Launches a job takes: one a channel for depthwise, one per 16 outputs for dense, else one. */
uint32_t htvm_diana_launches(const htvm_diana_job *job);

/* Encode one launch. Returns NULL, or the name of the first field whose value does not fit its
 * bits or units; the record is then not to be used. */
const char *htvm_diana_encode(const htvm_diana_job *job, uint32_t launch,
                              htvm_diana_record *record);

/* The record as the chip gets it: without what only the emulation reads. */
void htvm_diana_chip_record(htvm_diana_record *record);

/* Bytes of weights and bias a launch reads from the weight memory. */
uint64_t htvm_diana_weight_bytes(const htvm_diana_record *record);

#endif
