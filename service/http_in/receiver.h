// The HTTP server of inputs: appends posted records to the logs that the inputs read.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<Receiver> receiver, Receiver::Open(config, {}));
//   TOCSIN_RETURN_IF_ERROR(receiver->Start());
//   RecordLog* log = receiver->LogOf("alerts");   // the log that an input without a topic reads
//   receiver->Stop();
//
//   POST /v1/sources/NAME     to the input NAME, in its format
//   POST /v1/events           to the input `events`
//   GET  /healthz             liveness
//
// A success response means that the body is durable. It has the form that the protocol expects: 204
// for Prometheus remote write, an empty response for OTLP, else 200 and a JSON object. 400: no
// record can be decoded, or the compressed body is damaged; 401: wrong token or signature; 403: an
// SNS topic that is not configured; 404, 405, 413, 415, 431 as usual; 429 with Retry-After: above
// the input's rate limit, or the log or a queue is full; 503: the body could not be made durable.
// Bodies may be gzip, zlib or zstd.
//
// Threads: one serves, one per input appends, one fetches SNS certificates. Path, method, token,
// Host and Origin (transport/host_policy.h) are checked before the body is read. Signed bodies that
// are repeated within SeenBodies::kWindow get the same answer and are not appended again.
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

  // Reads secrets and opens the logs; `config` outlives the receiver. Errors name what cannot be
  // read or written.
  static absl::StatusOr<std::unique_ptr<Receiver>> Open(const Config* config,
                                                        Environment environment);
  ~Receiver();
  // Whether the configuration has HTTP inputs.
  static bool IsNeeded(const Config& config);

  absl::Status Start();
  std::uint16_t port() const;
  // Accepted bodies are still made durable; their responses may be lost.
  void Stop();
  // Reloads tokens, secrets and the certificate. The error names the first that cannot be read;
  // those that cannot be read keep their old values.
  absl::Status Reload();

  RecordLog* LogOf(const std::string& input) const;  // nullptr: the input has a topic or is unknown
  // Any thread.
  std::vector<SourceCounters> Counters() const;
  ConnectionTable::Counters connections() const;

 private:
  class Impl;
  explicit Receiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
