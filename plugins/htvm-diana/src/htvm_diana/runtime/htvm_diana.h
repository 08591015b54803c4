/* What generated code needs of DIANA's digital core: transfers, jobs, and waiting for them.
 *
 * Two implementations stand behind this header: an emulation that checks every call on the
 * developer's machine, and one over the chip's registers.
 *
 * Addresses. "l1" is a byte address in the shared activation memory, counted from its start.
 * "address" is a byte address in the digital core's weight memory, counted from its start.
 *
 * Byte order. The core sees each aligned group of four bytes the other way round: what it calls
 * byte n lies, seen from the host, at byte n ^ 3. Transfers copy bytes as they are, so the host
 * prepares and reads the reversed form. All layouts below are in the core's view.
 */
#ifndef HTVM_DIANA_H
#define HTVM_DIANA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef HTVM_REGION_DEFINED
#define HTVM_REGION_DEFINED
/* A piece of main memory the accelerator may read, and write if writable is not 0. */
typedef struct {
  const void *data;
  uint32_t size;
  uint32_t writable;
} htvm_region;
#endif

enum { HTVM_DIANA_DENSE = 0, HTVM_DIANA_CONV2D = 1, HTVM_DIANA_DEPTHWISE = 2, HTVM_DIANA_SUM = 3 };

/* One job. Fields a mode does not name are 0.
 *
 * Conv2d, depthwise: out[k][y][x] = sat8(relu((bias[k] + sum w * in) >> shift)), int32 inside.
 *   Input:   plane i starts at input + i * channel_size, row j of it at + j * cx_pitch; only
 *            columns 0 .. cx-1 and rows 0 .. cy-1 are used. pad_top and pad_bottom rows and
 *            pad_side columns on both sides are zeros the core adds by itself. Every output must
 *            lie within that: (oy-1) * stride + fy <= pad_top + cy + pad_bottom, and
 *            (ox-1) * stride + fx <= pad_side + cx + pad_side.
 *   Output:  planes of oy rows, ceil16(ox) bytes each, one after the other. The core always
 *            writes ceil16(k) planes; columns from ox on and channels from k on hold garbage.
 *   Weights: conv2d: ceil(k/16) blocks, each [c][fy][fx][16 channels] bytes, then 64 bytes of
 *            bias: four planes of 16 bytes, least significant first.
 *            depthwise (k = c): ceil(c/4) blocks, each [fy][fx][16 slots], then 64 bytes of bias
 *            planes; channel i takes slot 4 * (i % 4) of block i / 4, the other slots are unused.
 *   Depthwise runs one launch a channel, and each launch writes 16 planes, its own and 15 of
 *   garbage that the next ones overwrite: the output takes c + 15 planes of L1.
 * Dense: out[k] = sat8(relu((bias[k] + sum w * in) >> shift)).
 *   Input: ceil16(c) bytes; weights of those from c on must be 0. Output: ceil16(k) bytes,
 *   garbage from k on.
 *   Weights: ceil(k/16) blocks, each [ceil16(c)/16][16 out][16 in] bytes, then 256 bytes of bias:
 *            16 bytes a channel, least significant first, sign extended.
 * Sum: out[i] = sat8((in[i] + in2[i]) >> shift) over c bytes, c a multiple of 16; relu must be 0.
 */
typedef struct {
  uint32_t mode;         /* HTVM_DIANA_... */
  uint32_t input;        /* L1 address, multiple of 16 */
  uint32_t input2;       /* sum: L1 address of the second operand, multiple of 16 */
  uint32_t output;       /* L1 address, multiple of 16 */
  uint32_t weights;      /* weight memory address, multiple of 16 */
  uint32_t c;            /* input channels; sum: bytes */
  uint32_t k;            /* output channels */
  uint32_t cx;           /* input columns that hold data */
  uint32_t cx_pitch;     /* bytes from one input row to the next, multiple of 16 */
  uint32_t cy;           /* input rows that hold data */
  uint32_t channel_size; /* bytes from one input plane to the next, multiple of 16 */
  uint32_t fx;           /* kernel columns: 1, 3, 5, 7 */
  uint32_t fy;           /* kernel rows: 1, 3, 5, 7 */
  uint32_t ox;           /* output columns wanted */
  uint32_t oy;           /* output rows */
  uint32_t stride;       /* 1 or 2, both ways */
  uint32_t relu;         /* 0 or 1 */
  uint32_t shift;        /* 0 .. 31, arithmetic, towards minus infinity */
  uint32_t pad_top;      /* 0 .. 15 */
  uint32_t pad_bottom;   /* 0 .. 15 */
  uint32_t pad_side;     /* 0 .. 15 */
} htvm_diana_job;

/* Open a session; nothing outside the regions is touched until htvm_diana_end(). */
void htvm_diana_begin(const htvm_region *regions, uint32_t count);
void htvm_diana_end(void);

/* Start a transfer of count chunks of bytes each; chunk n moves by n * l1_stride in L1 and by
 * n * l2_stride in main memory. bytes is a multiple of 32, L1 addresses and strides multiples of
 * 16, strides below 65536 (and unused when count is 1), main memory addresses multiples of 4. */
void htvm_diana_load(uint32_t l1, const void *l2, uint32_t bytes, uint32_t count,
                     uint32_t l1_stride, uint32_t l2_stride);
void htvm_diana_store(void *l2, uint32_t l1, uint32_t bytes, uint32_t count, uint32_t l1_stride,
                      uint32_t l2_stride);

/* Start filling the weight memory; address and bytes are multiples of 16. */
void htvm_diana_load_weights(uint32_t address, const void *l2, uint32_t bytes);

/* Start a job. */
void htvm_diana_start(const htvm_diana_job *job);

/* Hold until what was started is done. Only one transfer or job may be under way: start the next
 * one after the wait. Nothing started is visible, and no operand may change, before the wait. */
void htvm_diana_wait(void);

#ifdef __cplusplus
}
#endif

#endif
