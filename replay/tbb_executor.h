// Spreads stage 2's evaluation over cores with oneTBB.
//
//   Decider decider(&config, &plan, &detectors, TbbExecutor(/*threads=*/4));
//
// Small batches stay on the calling thread: below kGrain series the hand-over costs more than it saves.
#pragma once

#include <cstddef>

#include "engine/executor.h"

namespace tocsin {

// `threads` 0: as many as there are cores; 1: sequential.
Executor TbbExecutor(int threads);

}  // namespace tocsin
