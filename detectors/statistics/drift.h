// Which metrics, checks and alarms drift: disks and memory that fill up, certificates that expire.
//
//   NamesDrift("disk_utilization")    // true; so are MemoryUtilization and cert_expiry_days
//   NamesDrift("disk_io_time")        // false: what a disk does, not how full it is
//
// A drifting value crosses its threshold days after its cause, at an arbitrary moment, so it does
// not share a cause with what began in the same minute. This is the one place that decides it; a
// stanza overrides it with `drifts: true` or `drifts: false`. Thread-safe: a pure function.
#pragma once

#include <string_view>

namespace tocsin {

// Words are separated by changes of case and by any character that is not a letter.
bool NamesDrift(std::string_view name);

}  // namespace tocsin
