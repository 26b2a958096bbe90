#include "runtime/tbb_executor.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

namespace tocsin {

#ifdef __SANITIZE_THREAD__

// Debian's oneTBB is built without ThreadSanitizer, which then sees races everywhere in it: under
// that preset each call has threads of its own.
Executor TbbExecutor(TbbExecutorOptions options) {
  if (options.threads == 1) return SequentialExecutor();
  return [grain = options.grain](std::size_t n, RangeBody body) {
    constexpr std::size_t kThreads = 4;
    const std::size_t share = std::max(grain, (n + kThreads - 1) / kThreads);
    std::vector<std::thread> threads;
    for (std::size_t begin = share; begin < n; begin += share) {
      threads.emplace_back([=] { body(begin, std::min(n, begin + share)); });
    }
    body(0, std::min(n, share));
    for (std::thread& thread : threads) thread.join();
  };
}

#else

Executor TbbExecutor(TbbExecutorOptions options) {
  if (options.threads == 1) return SequentialExecutor();
  // Shared by copies of the executor, which std::function makes; the arena itself cannot be copied.
  auto arena = std::make_shared<oneapi::tbb::task_arena>(
      // The unary plus makes a value of a constant that has no definition to bind to.
      options.threads == 0 ? +oneapi::tbb::task_arena::automatic : options.threads);
  return [arena, grain = options.grain](std::size_t n, RangeBody body) {
    if (n <= grain) {
      body(0, n);
      return;
    }
    arena->execute([&] {
      oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<std::size_t>(0, n, grain),
                                [&](const oneapi::tbb::blocked_range<std::size_t>& range) {
                                  body(range.begin(), range.end());
                                });
    });
  };
}

#endif

}  // namespace tocsin
