// The host's clocks: the only place that reads them.
//
// For durations, deadlines and back-off HostMonotonic is right; who wants to know the time of day
// asks system/time_source.h, which a clock that jumps does not lead astray. Thread-safe.
#pragma once

#include "core/time.h"

namespace tocsin {

// CLOCK_BOOTTIME: never steps, and goes on while the machine sleeps.
TimeUs HostMonotonic();
// CLOCK_REALTIME: may step at any time, by any amount.
TimeUs HostWall();

}  // namespace tocsin
