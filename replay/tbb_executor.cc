#include "replay/tbb_executor.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <memory>

namespace tocsin {
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

}  // namespace tocsin
