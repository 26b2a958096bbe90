#include "replay/tbb_executor.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
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
    // What the caller has written is there for the bodies, and theirs for the caller: oneTBB sees to
    // that, but ThreadSanitizer cannot look into it. An addition a range is no price for being told.
    std::atomic<int> begun{1}, done{0};
    arena->execute([&] {
      oneapi::tbb::parallel_for(oneapi::tbb::blocked_range<std::size_t>(0, n, grain),
                                [&](const oneapi::tbb::blocked_range<std::size_t>& range) {
                                  (void)begun.load(std::memory_order_acquire);
                                  body(range.begin(), range.end());
                                  done.fetch_add(1, std::memory_order_release);
                                });
    });
    (void)done.load(std::memory_order_acquire);
  };
}

}  // namespace tocsin
