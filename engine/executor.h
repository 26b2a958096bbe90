// How stage 2 spreads independent work: injected, because only app/ and replay/ start threads.
//
//   executor(series.size(), [&](std::size_t begin, std::size_t end) { … });
//
// The callee calls the body on disjoint ranges that cover [0, n), from any thread, and returns when
// all are done. Bodies write to their own slots only, so the result does not depend on the split.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/functional/function_ref.h"

namespace tocsin {

using RangeBody = absl::FunctionRef<void(std::size_t, std::size_t)>;
using Executor = std::function<void(std::size_t, RangeBody)>;

// Everything on the calling thread.
inline Executor SequentialExecutor() {
  return [](std::size_t n, RangeBody body) { body(0, n); };
}

}  // namespace tocsin
