#include "system/host_clock.h"

#include <time.h>

namespace tocsin {
namespace {

TimeUs Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<TimeUs>(now.tv_sec) * kSecondUs + now.tv_nsec / 1'000;
}

}  // namespace

TimeUs HostMonotonic() { return Read(CLOCK_BOOTTIME); }
TimeUs HostWall() { return Read(CLOCK_REALTIME); }

}  // namespace tocsin
