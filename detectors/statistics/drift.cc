#include "detectors/statistics/drift.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace tocsin {
namespace {

// Words for things that fill up or expire. "fs" and "mem" are the terms of node_exporter and
// Telegraf.
constexpr std::string_view kDrifting[] = {
    "cert",       "certificate", "certificates", "certs",      "disk",   "disks",
    "expiration", "expires",     "expiry",       "freeable",   "fs",     "filesystem",
    "heap",       "inode",       "inodes",       "mem",        "memory", "rss",
    "ssl",        "storage",     "swap",         "tablespace", "tls",
};
// Words for the activity of the same things, which may begin from one second to the next.
constexpr std::string_view kBusy[] = {
    "errors", "failures", "handshake", "io",         "iops", "latency", "ops",    "pressure",
    "queue",  "read",     "reads",     "throughput", "wait", "write",   "writes",
};

template <std::size_t kSize>
bool Has(const std::string_view (&words)[kSize], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

bool NamesDrift(std::string_view name) {
  bool drifting = false, busy = false;
  std::string word;
  const auto end_word = [&] {
    drifting = drifting || Has(kDrifting, word);
    busy = busy || Has(kBusy, word);
    word.clear();
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (IsUpper(c)) {
      // A capital begins a word if it follows a small letter (FreeStorageSpace) or precedes one
      // (DBInstanceFSUsage).
      const bool behind_small = i > 0 && IsLower(name[i - 1]);
      const bool before_small = i + 1 < name.size() && IsLower(name[i + 1]);
      if (behind_small || before_small) end_word();
      word += static_cast<char>(c - 'A' + 'a');
    } else if (IsLower(c)) {
      word += c;
    } else {
      end_word();
    }
  }
  end_word();
  return drifting && !busy;
}

}  // namespace tocsin
