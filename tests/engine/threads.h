// An executor with threads, as replay/ and app/ have: uneven ranges, every one on a thread of its
// own.
#pragma once

#include <cstddef>
#include <thread>
#include <vector>

#include "engine/executor.h"

namespace tocsin::testing {

inline Executor ThreadExecutor(std::size_t threads) {
  return [threads](std::size_t n, RangeBody body) {
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i) {
      // The first ranges are small, so that a wrong slot would be noticed.
      const std::size_t begin = n * i * i / (threads * threads);
      const std::size_t end = n * (i + 1) * (i + 1) / (threads * threads);
      if (begin < end) running.emplace_back([=] { body(begin, end); });
    }
  };
}

}  // namespace tocsin::testing
