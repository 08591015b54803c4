/* The emulation's face: one thing under way at a time, done at its wait. */
#include "htvm_diana_emulator.h"

typedef enum { IDLE, TRANSFER, JOB } activity;

static int session_open;
static activity under_way;
static htvm_diana_transfer transfer_started;
static htvm_diana_job job_started;
static uint64_t cycles;

static int halted(void) { return htvm_diana_faults() != 0; }

static int may_start(const char *what) {
  if (halted()) {
    return 0;
  }
  if (!session_open) {
    htvm_diana_fault("%s: called outside begin and end", what);
    return 0;
  }
  if (under_way != IDLE) {
    htvm_diana_fault("%s: a %s is still under way, a wait is missing", what,
                     under_way == JOB ? "job" : "transfer");
    return 0;
  }
  return 1;
}

void htvm_diana_begin(const htvm_region *regions, uint32_t count) {
  if (halted()) {
    return;
  }
  if (session_open) {
    htvm_diana_fault("begin: the last session was not ended");
    return;
  }
  htvm_diana_clear_memories();
  htvm_diana_set_regions(regions, count);
  session_open = 1;
}

void htvm_diana_end(void) {
  if (may_start("end")) {
    htvm_diana_check_guards();
  }
  session_open = 0;
}

static void start_transfer(const htvm_diana_transfer *transfer) {
  if (htvm_diana_start_transfer(transfer)) {
    transfer_started = *transfer;
    under_way = TRANSFER;
  }
}

void htvm_diana_load(uint32_t l1, const void *l2, uint32_t bytes, uint32_t count,
                     uint32_t l1_stride, uint32_t l2_stride) {
  const htvm_diana_transfer transfer = {&htvm_diana_l1, (uint8_t *)(uintptr_t)l2, 0, l1, bytes,
                                        count,          l1_stride,                l2_stride};

  if (may_start("load")) {
    start_transfer(&transfer);
  }
}

void htvm_diana_store(void *l2, uint32_t l1, uint32_t bytes, uint32_t count, uint32_t l1_stride,
                      uint32_t l2_stride) {
  const htvm_diana_transfer transfer = {&htvm_diana_l1, l2,        1,        l1, bytes,
                                        count,          l1_stride, l2_stride};

  if (may_start("store")) {
    start_transfer(&transfer);
  }
}

void htvm_diana_load_weights(uint32_t address, const void *l2, uint32_t bytes) {
  const htvm_diana_transfer transfer = {
      &htvm_diana_weight_memory, (uint8_t *)(uintptr_t)l2, 0, address, bytes, 1, 0, 0};

  if (may_start("load of weights")) {
    start_transfer(&transfer);
  }
}

static int check_job(const htvm_diana_job *job) {
  uint32_t launches;
  uint32_t launch;
  htvm_diana_record record;

  if (job->c == 0 || (job->k == 0 && job->mode != HTVM_DIANA_SUM)) {
    htvm_diana_fault("job: %u input and %u output channels", (unsigned)job->c, (unsigned)job->k);
    return 0;
  }
  if (job->weights % HTVM_DIANA_LANES != 0) {
    htvm_diana_fault("job: weights address %u is not a multiple of %d", (unsigned)job->weights,
                     HTVM_DIANA_LANES);
    return 0;
  }
  launches = htvm_diana_launches(job);
  for (launch = 0; launch < launches; launch++) {
    const char *misfit = htvm_diana_encode(job, launch, &record);

    if (misfit != NULL) {
      htvm_diana_fault("job: the record cannot hold %s", misfit);
      return 0;
    }
    if (!htvm_diana_check_record(&record)) {
      return 0;
    }
  }
  return 1;
}

void htvm_diana_start(const htvm_diana_job *job) {
  if (may_start("job") && check_job(job)) {
    job_started = *job;
    under_way = JOB;
  }
}

static void run_job(void) {
  const uint32_t launches = htvm_diana_launches(&job_started);
  uint32_t launch;
  htvm_diana_record record;

  for (launch = 0; launch < launches && !halted(); launch++) {
    (void)htvm_diana_encode(&job_started, launch, &record);
    htvm_diana_run_record(&record);
    cycles += htvm_diana_record_cycles(&record);
  }
}

void htvm_diana_wait(void) {
  if (halted()) {
    return;
  }
  if (under_way == TRANSFER) {
    htvm_diana_land_transfer(&transfer_started);
    cycles += htvm_diana_transfer_cycles(&transfer_started);
  } else if (under_way == JOB) {
    run_job();
  }
  under_way = IDLE;
}

const char *htvm_diana_layer_error(void) {
  if (!halted() && under_way != IDLE) {
    htvm_diana_fault("end of the layer: a %s is still under way, a wait is missing",
                     under_way == JOB ? "job" : "transfer");
  }
  return htvm_diana_error();
}

uint64_t htvm_diana_cycles(void) { return cycles; }

void htvm_diana_reset(void) {
  htvm_diana_forget_faults();
  session_open = 0;
  under_way = IDLE;
  cycles = 0;
}
