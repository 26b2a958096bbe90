// Which metrics, checks and alarms drift: disks and memory that fill up, certificates that run out.
//
//   NamesDrift("disk_utilization")    // true; so are MemoryUtilization and cert_expiry_days
//   NamesDrift("disk_io_time")        // false: what a disk does, not how full it is
//
// What drifts reaches its threshold days after its cause, at a moment that says nothing: it is no
// sign of a common cause with what began in the same minute. This is the one place that decides it;
// a stanza overrules it with `drifts: true` or `drifts: false`. Thread-safe: a pure function.
#pragma once

#include <string_view>

namespace tocsin {

// Words are told apart by case and by whatever is no letter.
bool NamesDrift(std::string_view name);

}  // namespace tocsin
