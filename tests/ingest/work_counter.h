// Counts what a test program does, so that a test can bound work by the size of its input instead
// of by a clock.
//
//   const WorkCounter counter;
//   decoder->Decode(record, record_time, &sink);
//   const Work work = counter.Done();
//   EXPECT_LT(work.steps, 100 * record.size());
//
// For programs that link ingest_counted (tests/ingest/CMakeLists.txt): the sources of ingest/,
// built so that they call work_counter.cc at every basic block, and its own operator new, memcpy,
// memmove, memset, memchr and memcmp for the whole program. Work of other libraries between these
// calls is not counted. Under sanitizers, which replace the mem… functions, their bytes are not
// counted. Single-threaded.
#pragma once

#include <cstdint>

namespace tocsin {

struct Work {
  std::uint64_t steps = 0;      // basic blocks of ingest/ that were entered
  std::uint64_t moved = 0;      // bytes that were copied, filled, searched or compared
  std::uint64_t allocated = 0;  // bytes of all blocks, freed ones too
  std::uint64_t peak = 0;       // bytes, the most at one time, of blocks that are new
};

class WorkCounter {
 public:
  WorkCounter();
  // Since the construction.
  Work Done() const;

 private:
  Work begin_;
  std::uint64_t live_ = 0;
};

}  // namespace tocsin
