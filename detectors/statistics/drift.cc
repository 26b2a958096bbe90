#include "detectors/statistics/drift.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace tocsin {
namespace {

// What fills up or runs out. "fs" and "mem" are how node_exporter and Telegraf say it.
constexpr std::string_view kDrifting[] = {
    "cert",       "certificate", "certificates", "certs",      "disk",   "disks",
    "expiration", "expires",     "expiry",       "freeable",   "fs",     "filesystem",
    "heap",       "inode",       "inodes",       "mem",        "memory", "rss",
    "ssl",        "storage",     "swap",         "tablespace", "tls",
};
// What the same things do, which may begin from one second to the next.
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
      // FreeStorageSpace, and DBInstanceFSUsage: a capital begins a word behind a small letter, and
      // before one.
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
