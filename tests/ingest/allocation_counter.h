// Counts calls of operator new in a test program that links allocation_counter.cc.
//
//   const long before = Allocations();
//   ...
//   EXPECT_EQ(Allocations() - before, 0);
#pragma once

namespace tocsin {

// Since the program began, on all threads.
long Allocations();

}  // namespace tocsin
