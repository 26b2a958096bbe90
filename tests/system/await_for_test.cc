#include "system/await_for.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace {

// Milliseconds by which the wall clock is ahead of the kernel's. Whoever waits until a time of it
// waits as if it had been set back by that much right after it was asked.
std::atomic<std::int64_t> ahead_ms{0};

}  // namespace

// In place of the C library's; abseil asks either.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_REALTIME) {
    const std::int64_t ns = time->tv_nsec + ahead_ms.load() * 1'000'000;
    time->tv_sec += ns / 1'000'000'000;
    time->tv_nsec = ns % 1'000'000'000;
  }
  return static_cast<int>(result);
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1'000};
  return 0;
}

namespace tocsin {
namespace {

class AwaitForTest : public testing::Test {
 protected:
  ~AwaitForTest() override { ahead_ms = 0; }
  bool Await(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    return AwaitFor(&mutex_, absl::Condition(&done_), timeout);
  }
  void Finish() {
    absl::MutexLock lock(&mutex_);
    done_ = true;
  }

  absl::Mutex mutex_;
  bool done_ = false;
};

TEST_F(AwaitForTest, WhatHoldsAlreadyIsNotWaitedFor) {
  Finish();
  EXPECT_TRUE(Await(absl::ZeroDuration()));
  EXPECT_TRUE(Await(absl::InfiniteDuration()));
}

TEST_F(AwaitForTest, WhatDoesNotComeIsWaitedForThatLong) {
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(Await(absl::Milliseconds(30)));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(30));
  EXPECT_FALSE(Await(absl::ZeroDuration()));
}

TEST_F(AwaitForTest, WhatComesEndsTheWait) {
  std::thread other([&] { Finish(); });
  EXPECT_TRUE(Await(absl::InfiniteDuration()));
  other.join();
}

TEST_F(AwaitForTest, AClockThatIsSetBackMakesNoWaitLonger) {
  const auto begun = std::chrono::steady_clock::now();
  ahead_ms = 200;
  {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&done_), absl::Milliseconds(30));
  }
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(200))
      << "abseil waits by another clock now: AwaitFor is not needed any more";
  ahead_ms = 3'600'000;
  EXPECT_FALSE(Await(absl::Milliseconds(30)));
}

}  // namespace
}  // namespace tocsin
