// HTTP in: what is posted to inputs, appended to the logs that are their sources.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<Receiver> receiver, Receiver::Open(config, {}));
//   TOCSIN_RETURN_IF_ERROR(receiver->Start());
//   receiver->LogOf("alerts")           // of an input without a topic: what its reader follows
//   receiver->Stop();
//
//   POST /v1/sources/NAME     to the input NAME, in its format
//   POST /v1/events           to the input `events`
//   GET  /healthz             whether it listens
//
// A request is answered with success when what it brought is durable, and in the way that its
// protocol expects: 204 for Prometheus' remote write, an empty response for OTLP, else 200 and a
// JSON object. 400: nothing in it can be read, or it is compressed and damaged; 401: token or
// signature; 403: a topic that is not ours; 404, 405, 413, 415, 431 as usual; 429 with Retry-After:
// above the input's rate, or the log is full; 503: it could not be made durable. Bodies may be
// gzip, zlib or zstd.
//
// One thread serves, one an input appends, one fetches certificates of SNS. Path, method, token and
// the page that a request comes from (transport/host_policy.h) are checked before its body is read. Signed
// bodies that come again within SeenBodies::kWindow are answered as before and not appended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "core/time.h"
#include "ingest/sources/record_log.h"
#include "service/http_in/sns_verifier.h"
#include "transport/connection_table.h"

namespace tocsin {

class Receiver {
 public:
  struct Environment {
    std::function<TimeUs()> now;        // wall clock; unset: the system's
    std::function<TimeUs()> monotonic;  // for rates; unset: system/host_clock.h
    SnsVerifier::Fetch fetch;           // unset: FetchHttps
  };
  struct SourceCounters {
    std::string name;
    std::int64_t accepted = 0;  // requests whose content is durable
    std::int64_t refused = 0;   // all others
    std::int64_t bytes = 0;     // accepted
  };

  // Reads secrets and opens the logs; `config` outlives it. Names what cannot be read or written.
  static absl::StatusOr<std::unique_ptr<Receiver>> Open(const Config* config,
                                                        Environment environment);
  ~Receiver();
  // Whether an input is one by HTTP, so that a receiver is needed.
  static bool IsNeeded(const Config& config);

  absl::Status Start();
  std::uint16_t port() const;
  // What was taken is made durable; its answers may be lost.
  void Stop();
  // Reads tokens, secrets and the certificate anew. Names the first that cannot be read; all such
  // stay as they were.
  absl::Status Reload();

  RecordLog* LogOf(const std::string& input) const;  // nullptr: a topic's, or none
  // Any thread.
  std::vector<SourceCounters> Counters() const;
  ConnectionTable::Counters connections() const;

 private:
  class Impl;
  explicit Receiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
