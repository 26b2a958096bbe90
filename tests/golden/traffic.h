// The events of a world and its faults, as canonical JSON in the order in which they arrive.
//
//   Traffic traffic(&world, &faults, {.seed = 1, .length = 2 * kHourUs});
//   for (std::string line; traffic.Next(&line);) file << line << '\n';
//
// A function of its arguments alone. Requests follow the time of day (the rate of noon at 13:00, a
// third of it at night), latencies are log-normal, 0.2 % of requests fail and one in a hundred is
// the client's own mistake; users come from a fixed crowd, each with an address and an agent of
// their own. An event arrives up to 2 s after it happened, hence slightly out of order, and never
// late for a delay of 10 s. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_writer.h"
#include "core/time.h"
#include "tests/golden/random.h"
#include "tests/golden/world.h"

namespace tocsin {

class Traffic {
 public:
  static constexpr TimeUs kStart = 1'773'144'000 * kSecondUs;  // 2026-03-10T12:00:00Z, a Tuesday
  struct Options {
    std::uint64_t seed = 1;
    DurationUs length = 2 * kHourUs;
  };
  // Both outlive the traffic.
  Traffic(const World* world, const std::vector<Fault>* faults, Options options);

  // False at the end.
  bool Next(std::string* line);

 private:
  struct Arrival {
    TimeUs at;
    std::int64_t sequence;  // breaks ties
    std::string line;
    bool operator<(const Arrival& other) const {
      return std::pair(at, sequence) < std::pair(other.at, other.sequence);
    }
  };
  struct Caller {
    std::int64_t number = 0;
    std::string user, address, agent;
  };

  void MakeSecond();
  void Requests(const World::Service& service);
  void Request(const World::Service& service, const World::Endpoint& endpoint,
               const Caller& caller);
  void Queries(const World::Service& service);
  void Transactions(const World::Transactions& kind);
  void Sessions(const World::App& app);
  void Connections(const World::Service& service);
  void Connection(const std::string& service, const Caller& caller);
  void Logins(const World::Service& service);
  void Login(const std::string& service, const Caller& caller, bool failed);
  void Checks(const World::Service& service);
  void Logs(const World::Service& service);
  void Log(const std::string& service, const std::string& dependency, std::string_view level,
           std::string_view message);
  void Metric(const World::Metric& metric);
  void Flood(const Fault& fault);
  void Tell(const Fault& fault);  // deploys, alarms, logs, failed logins

  // Begins an event at a random moment of this second.
  JsonWriter& Begin(std::string_view type, const std::string& service);
  void Field(const char* key, const std::string& value);  // unless empty
  void End();

  double Rhythm() const;
  // How many times the usual users are there.
  double Crowd(const World::Service& service, bool connections) const;
  std::int64_t Due(const Fault& fault) const;
  bool Stopped(const std::string& service) const;
  Caller AnyUser(double crowd = 1);
  Caller FloodCaller(const Fault& fault);
  // The fault that makes this fail, nullptr if it succeeds as far as faults go.
  template <typename Hits>
  const Fault* FailedBy(const Caller* caller, const Hits& hits);
  template <typename Hits>
  double Slowness(const Hits& hits) const;
  std::string VersionOf(const World::Service& service) const;
  bool Every(DurationUs interval) const { return now_ / interval != (now_ - kSecondUs) / interval; }

  const World* world_;
  const std::vector<Fault>* faults_;
  Options options_;
  Random random_;
  DurationUs now_ = 0;  // since the start
  TimeUs moment_ = 0;   // of the event being written
  JsonWriter json_;
  std::int64_t sequence_ = 0;
  std::vector<const Fault*> active_;                          // in this second
  std::vector<Arrival> waiting_;                              // a heap, the earliest first
  std::map<std::string, std::string, std::less<>> versions_;  // deployed since the start
};

}  // namespace tocsin
