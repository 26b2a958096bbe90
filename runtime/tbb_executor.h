// Spreads independent work over cores with oneTBB.
//
//   Decider decider(&config, &plan, &detectors, TbbExecutor({.threads = 4}));
//
// Up to `grain` elements stay on the calling thread: there the hand-over costs more than it saves.
// The default suits the evaluation of series, of which one takes 50 to 500 ns and waking a worker
// several µs.
#pragma once

#include <cstddef>

#include "engine/executor.h"

namespace tocsin {

struct TbbExecutorOptions {
  int threads = 0;  // 0: as many as there are cores; 1: sequential
  std::size_t grain = 256;
};
Executor TbbExecutor(TbbExecutorOptions options);

}  // namespace tocsin
