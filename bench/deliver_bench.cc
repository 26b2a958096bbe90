// How long the messages to one sink take while another sink acts up.
//
//   ./dev bench deliver_bench             # 500 incidents, 100 a second, in each way
//
// The whole path but the decision: outbox, SQLite journal, libcurl, two receivers on loopback. For
// each way to act up (tests/transport/hostile_server.h) prints how long it took from Submit to the
// request at the healthy receiver; exits with 1 when the 99th percentile of any is above 2 s. Then
// 10,000 incidents at once beside a receiver that never answers: how long until all were told, and
// what the program took in memory.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "journal/journal.h"
#include "service/deliverer.h"
#include "tests/transport/hostile_server.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

constexpr int kIncidents = 500;
constexpr int kStorm = 10'000;
constexpr std::chrono::milliseconds kEvery(10);
constexpr double kLimitMs = 2'000;

using Clock = std::chrono::steady_clock;

// When it heard of an incident, by the incident's title.
class Healthy {
 public:
  Healthy()
      : http_({}, [this](const HttpRequest& request) {
          const std::size_t at = request.body.find("\"title\":\"") + 9;
          absl::MutexLock lock(&mutex_);
          heard_.emplace(request.body.substr(at, request.body.find('"', at) - at), Clock::now());
          return HttpResponse{.status = 202};
        }) {}
  bool Start() { return http_.Start().ok(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(http_.port()); }
  // Empty if not all came within a minute.
  std::map<std::string, Clock::time_point> Await(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto all = [this, count]()
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return heard_.size() >= count; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Minutes(1))) return {};
    return heard_;
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, Clock::time_point> heard_ ABSL_GUARDED_BY(mutex_);
  HttpServer http_;
};

std::unique_ptr<Sink> Webhook(const std::string& name, const std::string& url) {
  ErrorList errors;
  const ConfigNode node =
      ParseYaml("{name: " + name + ", kind: webhook, url: '" + url + "'}", "bench", &errors);
  return NewSink({.name = name, .kind = "webhook", .node = node},
                 std::make_shared<MessageTemplates>(), &errors);
}

// VmRSS of this process, in MiB.
double ResidentMiB() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

// Milliseconds of each incident, sorted; empty when something failed. `at_once` without a pause.
std::vector<double> Measure(HostileServer::Mode mode, int incidents, bool at_once) {
  Healthy healthy;
  if (!healthy.Start()) return {};
  HostileServer hostile(mode);
  const std::filesystem::path state =
      std::filesystem::temp_directory_path() / "tocsin-deliver-bench";
  std::filesystem::remove_all(state);
  std::vector<double> took;
  {
    absl::StatusOr<std::unique_ptr<Journal>> journal = OpenSqliteJournal(state);
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(Webhook("sick", hostile.url()));
    sinks.push_back(Webhook("healthy", healthy.url()));
    const std::vector<RouteConfig> routes;
    if (!journal.ok() || sinks[0] == nullptr || sinks[1] == nullptr) return {};
    const TimeSource time;
    Deliverer deliverer(routes, sinks, journal->get(), &time);
    if (!deliverer.Start().ok()) return {};
    std::map<std::string, Clock::time_point> submitted;
    Clock::time_point next = Clock::now();
    for (int i = 0; i < incidents; ++i) {
      Notification notification;
      notification.incident.title = "incident " + std::to_string(i);
      notification.incident.id = HashBytes(notification.incident.title);
      submitted[notification.incident.title] = Clock::now();
      deliverer.Submit({notification});
      if (!at_once) std::this_thread::sleep_until(next += kEvery);
    }
    for (const auto& [title, heard] : healthy.Await(static_cast<std::size_t>(incidents))) {
      took.push_back(
          std::chrono::duration<double, std::milli>(heard - submitted.at(title)).count());
    }
  }
  std::filesystem::remove_all(state);
  std::sort(took.begin(), took.end());
  return took;
}

int Main() {
  setenv("no_proxy", "127.0.0.1", 1);
  spdlog::set_level(spdlog::level::off);  // thousands of attempts fail, as they should
  int code = 0;
  std::printf("%d incidents, 100 a second; until the healthy sink heard, while the other one\n",
              kIncidents);
  std::printf("%-26s %9s %9s %9s\n", "", "p50 ms", "p99 ms", "max ms");
  std::vector<std::pair<HostileServer::Mode, const char*>> modes = {
      {HostileServer::Mode::kGood, "is well"}};
  modes.insert(modes.end(), std::begin(HostileServer::kModes), std::end(HostileServer::kModes));
  for (const auto& [mode, name] : modes) {
    const std::vector<double> took = Measure(mode, kIncidents, /*at_once=*/false);
    if (took.empty()) {
      std::printf("%-26s failed\n", name);
      return 3;
    }
    const double p99 = took[took.size() * 99 / 100];
    std::printf("%-26s %9.1f %9.1f %9.1f%s\n", name, took[took.size() / 2], p99, took.back(),
                p99 > kLimitMs ? "  above 2 s" : "");
    if (p99 > kLimitMs) code = 1;
  }
  const double before = ResidentMiB();
  const Clock::time_point start = Clock::now();
  const std::vector<double> storm = Measure(HostileServer::Mode::kSilent, kStorm, /*at_once=*/true);
  if (storm.empty()) return 3;
  std::printf(
      "%d at once beside one that never answers: all told after %.1f s; %.0f MiB before, %.0f "
      "after\n",
      kStorm, std::chrono::duration<double>(Clock::now() - start).count(), before, ResidentMiB());
  return code;
}

}  // namespace
}  // namespace tocsin

int main() { return tocsin::Main(); }
