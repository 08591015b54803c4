/* Sizes and speeds of the emulated chip; a build may set its own. */
#ifndef HTVM_DIANA_CONFIG_H
#define HTVM_DIANA_CONFIG_H

/* Bytes of activation memory (HTVM's budget of the 256 KiB) and of digital weight memory. */
#ifndef HTVM_DIANA_L1_BYTES
#define HTVM_DIANA_L1_BYTES 256000
#endif
#ifndef HTVM_DIANA_WEIGHT_BYTES
#define HTVM_DIANA_WEIGHT_BYTES 64000
#endif

#if HTVM_DIANA_L1_BYTES % 32 || HTVM_DIANA_WEIGHT_BYTES % 32
#error "the emulated memories are whole numbers of 32 bytes"
#endif

/* Transfers (MATCH): bytes a cycle, and cycles for each contiguous chunk. */
#ifndef HTVM_DIANA_DMA_BYTES_PER_CYCLE
#define HTVM_DIANA_DMA_BYTES_PER_CYCLE 16
#endif
#ifndef HTVM_DIANA_DMA_CHUNK_CYCLES
#define HTVM_DIANA_DMA_CHUNK_CYCLES 70
#endif

/* Jobs (MATCH): cycles beside the kernel for each row of 16 x 16 results: per kernel row and
 * input channel, and once. */
#ifndef HTVM_DIANA_KERNEL_ROW_CYCLES
#define HTVM_DIANA_KERNEL_ROW_CYCLES 2
#endif
#ifndef HTVM_DIANA_ROW_CYCLES
#define HTVM_DIANA_ROW_CYCLES 23
#endif

#endif
