/* Transfers between main memory and the scratchpads. They move nothing before their wait; until
 * then the destination holds noise, and neither end may be touched. */
#include <string.h>

#include "htvm_diana_emulator.h"

enum {
  MAX_REGIONS = 1024,
  DMA_BYTES = 32,
  NEAR_ALIGN = 16,
  FAR_ALIGN = 4,
  STRIDE_LIMIT = 65536,
  STAGE_BYTES =
      HTVM_DIANA_L1_BYTES > HTVM_DIANA_WEIGHT_BYTES ? HTVM_DIANA_L1_BYTES : HTVM_DIANA_WEIGHT_BYTES
};

static htvm_region declared[MAX_REGIONS];
static uint32_t declared_count;

/* What main memory held when the transfer started: the source of a load, or the noise put into
 * the destination of a store. It must still be there at the wait. */
static uint8_t stage[STAGE_BYTES];

void htvm_diana_set_regions(const htvm_region *regions, uint32_t count) {
  if (count > MAX_REGIONS) {
    htvm_diana_fault("begin: %u regions, the emulation holds %d", (unsigned)count, MAX_REGIONS);
    return;
  }
  if (count > 0) {
    memcpy(declared, regions, count * sizeof *regions);
  }
  declared_count = count;
}

static const char *label(const htvm_diana_transfer *transfer) {
  if (transfer->memory == &htvm_diana_weight_memory) {
    return "load of weights";
  }
  return transfer->to_main ? "store" : "load";
}

static uint64_t extent(const htvm_diana_transfer *transfer, uint32_t stride) {
  return (uint64_t)(transfer->count - 1) * stride + transfer->bytes;
}

/* The one region that holds the whole transfer: a buffer may not run into its neighbour. */
static int check_region(const htvm_diana_transfer *transfer) {
  const uintptr_t start = (uintptr_t)transfer->main;
  const uint64_t size = extent(transfer, transfer->far_stride);
  uint32_t i;

  for (i = 0; i < declared_count; i++) {
    const uintptr_t base = (uintptr_t)declared[i].data;

    if (start >= base && start - base <= declared[i].size &&
        size <= declared[i].size - (start - base)) {
      if (transfer->to_main && !declared[i].writable) {
        htvm_diana_fault("store: main memory region %u is read-only", (unsigned)i);
        return 0;
      }
      return 1;
    }
    if (start >= base && start - base < declared[i].size) {
      htvm_diana_fault("%s: %llu bytes from byte %llu of main memory region %u, which has %u",
                       label(transfer), (unsigned long long)size,
                       (unsigned long long)(start - base), (unsigned)i,
                       (unsigned)declared[i].size);
      return 0;
    }
  }
  htvm_diana_fault("%s: its main memory address is in no declared region", label(transfer));
  return 0;
}

static int check_multiple(const htvm_diana_transfer *transfer, uint64_t value, uint32_t unit,
                          const char *what) {
  if (value % unit == 0) {
    return 1;
  }
  htvm_diana_fault("%s: %s %llu is not a multiple of %u", label(transfer), what,
                   (unsigned long long)value, (unsigned)unit);
  return 0;
}

static int check_stride(const htvm_diana_transfer *transfer, uint32_t stride, uint32_t align,
                        int is_target, const char *what) {
  if (stride >= STRIDE_LIMIT) {
    htvm_diana_fault("%s: %s %u does not fit its 16 bits", label(transfer), what,
                     (unsigned)stride);
    return 0;
  }
  if (is_target && stride < transfer->bytes) {
    htvm_diana_fault("%s: %s %u is less than the chunk of %u bytes, chunks overwrite each other",
                     label(transfer), what, (unsigned)stride, (unsigned)transfer->bytes);
    return 0;
  }
  return check_multiple(transfer, stride, align, what);
}

static int check_shape(const htvm_diana_transfer *transfer) {
  const int weights = transfer->memory == &htvm_diana_weight_memory;

  if (transfer->bytes == 0 || transfer->count == 0) {
    htvm_diana_fault("%s: nothing to move (%u chunks of %u bytes)", label(transfer),
                     (unsigned)transfer->count, (unsigned)transfer->bytes);
    return 0;
  }
  if (!check_multiple(transfer, transfer->bytes, weights ? NEAR_ALIGN : DMA_BYTES, "length") ||
      !check_multiple(transfer, transfer->address, NEAR_ALIGN, "scratchpad address") ||
      !check_multiple(transfer, (uintptr_t)transfer->main, FAR_ALIGN, "main memory address")) {
    return 0;
  }
  return transfer->count == 1 ||
         (check_stride(transfer, transfer->near_stride, NEAR_ALIGN, !transfer->to_main,
                       "scratchpad stride") &&
          check_stride(transfer, transfer->far_stride, FAR_ALIGN, transfer->to_main,
                       "main memory stride"));
}

/* Bytes the transfer moves fit the stage, as its scratchpad end does unless chunks overlap there. */
static int check_volume(const htvm_diana_transfer *transfer) {
  if ((uint64_t)transfer->bytes * transfer->count <= STAGE_BYTES) {
    return 1;
  }
  htvm_diana_fault("%s: moves more than the scratchpad holds", label(transfer));
  return 0;
}

static int check_source_known(const htvm_diana_transfer *transfer) {
  uint32_t chunk;

  for (chunk = 0; chunk < transfer->count; chunk++) {
    const uint8_t *state =
        transfer->memory->state + transfer->address + chunk * transfer->near_stride;

    if (memchr(state, HTVM_DIANA_KNOWN, transfer->bytes) != NULL) {
      return 1;
    }
  }
  htvm_diana_fault("store: none of its bytes, from %u of L1 on, holds a result",
                   (unsigned)transfer->address);
  return 0;
}

int htvm_diana_start_transfer(const htvm_diana_transfer *transfer) {
  uint32_t chunk;

  if (!check_shape(transfer) ||
      !htvm_diana_inside(transfer->memory, transfer->address,
                         extent(transfer, transfer->near_stride), label(transfer)) ||
      !check_region(transfer) || !check_volume(transfer) ||
      (transfer->to_main && !check_source_known(transfer))) {
    return 0;
  }
  for (chunk = 0; chunk < transfer->count; chunk++) {
    uint8_t *far = transfer->main + (size_t)chunk * transfer->far_stride;
    const uint32_t near = transfer->address + chunk * transfer->near_stride;

    if (transfer->to_main) {
      htvm_diana_fill_noise(far, transfer->bytes);
    } else {
      htvm_diana_spoil(transfer->memory, near, transfer->bytes, HTVM_DIANA_UNWRITTEN);
    }
    memcpy(stage + (size_t)chunk * transfer->bytes, far, transfer->bytes);
  }
  return 1;
}

void htvm_diana_land_transfer(const htvm_diana_transfer *transfer) {
  uint32_t chunk;

  for (chunk = 0; chunk < transfer->count; chunk++) {
    uint8_t *far = transfer->main + (size_t)chunk * transfer->far_stride;
    const uint32_t near = transfer->address + chunk * transfer->near_stride;

    if (memcmp(stage + (size_t)chunk * transfer->bytes, far, transfer->bytes) != 0) {
      htvm_diana_fault("%s: its main memory changed while it was under way", label(transfer));
      return;
    }
    if (transfer->to_main) {
      memcpy(far, transfer->memory->bytes + near, transfer->bytes);
    } else {
      memcpy(transfer->memory->bytes + near, far, transfer->bytes);
      memset(transfer->memory->state + near, HTVM_DIANA_KNOWN, transfer->bytes);
    }
  }
}

uint64_t htvm_diana_transfer_cycles(const htvm_diana_transfer *transfer) {
  const int joined =
      transfer->near_stride == transfer->bytes && transfer->far_stride == transfer->bytes;
  const uint64_t chunks = joined ? 1 : transfer->count;
  const uint64_t chunk_bytes =
      joined ? (uint64_t)transfer->bytes * transfer->count : transfer->bytes;

  return chunks * (HTVM_DIANA_DMA_CHUNK_CYCLES + (chunk_bytes + HTVM_DIANA_DMA_BYTES_PER_CYCLE - 1) /
                                                     HTVM_DIANA_DMA_BYTES_PER_CYCLE);
}
