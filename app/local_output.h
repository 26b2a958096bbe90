// Where deliveries go that leave this machine's processes, but not the machine.
//
//   SinkReply reply = AppendLine("/var/log/tocsin/deliveries.jsonl", line);
//
// Both wait for the write: the deliverer's thread writes few lines. A reply of 200 means that all
// of it was written, else `error` says what and where. Not thread-safe for one target.
#pragma once

#include <string>

#include "sinks/sink.h"

namespace tocsin {

// And a line feed, flushed.
SinkReply WriteStdout(std::string line);

// And a line feed, durable. Makes the file (mode 0640) but no directory. What could be written only
// in part, as on a full disk, is taken back.
SinkReply AppendLine(const std::string& path, std::string line);

}  // namespace tocsin
