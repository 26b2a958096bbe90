// A soak: the real program under load while everything around it fails at random.
//
//   ./dev bench faults                         # an hour, seed 1, 20,000 events/s
//   build/release/bench/faults MINUTES SEED EVENTS_PER_SECOND [FAULT [SECONDS]]
//
// A real Kafka, a log that is rotated, and posts by HTTP carry the requests of ten services that
// fail now and then (bench/soak_traffic). `tocsin run` pages PagerDuty's stand-in. Meanwhile one
// thing after another goes wrong: the program is stopped, ended or killed, the broker is stopped or
// killed, the disk of the state directory is full, slow, read-only or gone, the log cannot be read,
// the clock jumps; and at the same time, on their own, PagerDuty fails, unreadable things arrive,
// and clients connect that say nothing. In the second half the program is not ended, so that what
// it takes can be compared: memory, handles, disk. With FAULT only faults whose names contain it
// come, with SECONDS for so long each: `faults 12 1 2000 "program is stopped" 60`.
//
// Ends with 1 unless what was decided is, byte for byte, what a replay of the same traffic decides,
// PagerDuty has opened each page of it once and closed it, and nothing grew. An incident that began
// and ended, or was raised, while the program could not see it wakes nobody with what is over; many
// pages at once are folded into one; these are counted. Prints what each fault led the program to
// say.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <simdjson.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bench/soak_traffic.h"
#include "core/time.h"
#include "demo/pagerduty_standin.h"
#include "system/host_clock.h"
#include "tests/faults/under_faults.h"
#include "tests/integration/http_get.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr int kPartitions = 4;
constexpr const char* kTopic = "app";
constexpr seconds kSampleEvery(5);
constexpr int kPatience = 300;

// What a process takes at a moment.
struct Usage {
  seconds at{0};
  double memory_mib = 0;
  int handles = 0;
  double state_mib = 0;  // on disk, without what was posted
  double panes_mib = 0;  // of that, panes, which are kept for two hours by design; −1: not known
};

struct Fault {
  std::string name;
  int seconds_max = 0;
  bool ends_program = false;
  std::function<void()> begin, end;
};

// What happened when, for the account at the end.
struct Event {
  TimeUs begin = 0, end = 0;
  std::string what;
  bool is_fault = true;  // of what we depend on; else something that should have no effect
};

struct Options {
  seconds length{3'600};
  std::uint64_t seed = 1;
  int events_per_second = 20'000;
  std::string fault;       // in the names of those that come
  seconds fault_lasts{0};  // zero: drawn
};

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        length_(options.length),
        seed_(options.seed),
        random_(options.seed + 100) {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/tocsin-soak-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) folder_ = std::filesystem::canonical(pattern).string();
    pagerduty_ = std::make_unique<PagerDutyStandIn>(PagerDutyStandIn::Options{
        .act_up = [this](const PagerDutyStandIn::Request&) { return ActUp(); }});
  }

  int Run();

 private:
  std::uint64_t Below(std::uint64_t n) { return random_() % n; }
  void Wait(seconds least, int more) {
    std::this_thread::sleep_for(least + seconds(Below(static_cast<std::uint64_t>(more))));
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  seconds Elapsed() const { return std::chrono::duration_cast<seconds>(Clock::now() - begin_); }
  void Problem(const std::string& text) {
    std::printf("PROBLEM: %s\n", text.c_str());
    ++problems_;
  }
  void Happened(Event event) {
    absl::MutexLock lock(&events_mutex_);
    events_.push_back(std::move(event));
  }

  void WriteConfig();
  bool StartProgram();
  void EndProgram(int signal, int code);
  void SetFaults(const std::string& rules) const;
  Fault OnDisk(const std::string& name, const std::string& folder, const std::string& rules,
               int seconds_max);
  std::vector<Fault> Faults();
  void BreakThings(SoakTraffic* traffic);
  int ActUp();
  void BreakPagerDuty();
  void SendPoison(SoakTraffic* traffic);
  void Watch(const SoakTraffic* traffic);
  Usage Measure() const;

  void Settle();
  bool Replay();
  void CompareDecisions();
  void ComparePages();
  // Whether it was over, from the page on, before it could be seen.
  bool WasOverUnseen(const std::string& paged_at, const std::string& resolved_at);
  void CompareUsage();
  void TellFaults();

  const Options options_;
  const seconds length_;
  const std::uint64_t seed_;
  std::mt19937_64 random_;  // of the thread that breaks things
  std::string folder_;
  int port_ = 0, http_port_ = 0;
  KafkaCluster kafka_;
  std::unique_ptr<PagerDutyStandIn> pagerduty_;
  Process program_;
  std::atomic<pid_t> pid_{0};
  std::atomic<int> pagerduty_answer_{0};
  std::atomic<bool> stop_{false};
  Clock::time_point begin_;
  std::vector<Usage> usage_;
  absl::Mutex events_mutex_;
  std::vector<Event> events_ ABSL_GUARDED_BY(events_mutex_);
  int problems_ = 0;
};

void Soak::WriteConfig() {
  std::filesystem::create_directory(Path("logs"));
  std::ofstream(Path("key")) << "R0UT1NGKEY\n";
  std::ofstream(Path("config.yaml"))
      << "pane: 1s\nstate_dir: " << Path("state") << "\nlisten: \"127.0.0.1:" << port_
      << "\"\nhttp: {listen: \"127.0.0.1:" << http_port_ << "\", log_mib_max: 8192}\ninputs:\n"
      << "  - {name: app, kafka: {brokers: \"" << kafka_.brokers() << "\", topics: [" << kTopic
      << "], group: soak, start: earliest}, delay: 5s}\n"
      << "  - {name: web, file: " << Path("logs") << ", delay: 5s}\n"
      << "  - {name: events, http: {}, delay: 5s}\n"
      << "detectors:\n"
      << "  - name: errors\n    kind: error_rate\n    where: {type: request}\n    by: [service]\n"
      << "    warn: {above: 5%, window: 30s, for: 10s, level: 2}\n"
      << "    critical: {above: 60%, window: 15s, for: 0s, level: 1}\n"
      << "  - name: slow\n    kind: latency\n    where: {type: request}\n    by: [service]\n"
      << "    warn: {p95_above: 500ms, window: 1m, for: 10s, level: 2}\n"
      << "correlate: {watch: 20s}\n"
      << "sinks:\n  - {name: oncall, kind: pagerduty, url: \"" << pagerduty_->url()
      << "\", routing_key_file: " << Path("key") << "}\n"
      << "routes:\n  - {match: {level: [1, 2]}, to: [oncall]}\n";
}

bool Soak::StartProgram() {
  const bool started = program_.Start(
      UnderFaults(TOCSIN_FAULTS_LIBRARY, Path("faults"),
                  {TOCSIN_BINARY, "run", "-c", Path("config.yaml"), "--incidents",
                   Path("live-incidents.jsonl"), "--signals", Path("live-signals.jsonl")}),
      Path("run.log"));
  pid_ = program_.pid();
  return started;
}

void Soak::EndProgram(int signal, int code) {
  program_.Signal(signal);
  const int ended = program_.Wait(kPatience);
  if (ended != code) Problem(absl::StrCat("ended with ", ended, " instead of ", code));
}

void Soak::SetFaults(const std::string& rules) const { tocsin::SetFaults(Path("faults"), rules); }

Fault Soak::OnDisk(const std::string& name, const std::string& folder, const std::string& rules,
                   int seconds_max) {
  return {
      .name = name,
      .seconds_max = seconds_max,
      .begin =
          [this, folder, rules] {
            SetFaults(absl::StrCat("seed=", Below(1'000), "; path=", Path(folder), "; ", rules));
          },
      .end = [this] { SetFaults(""); }};
}

std::vector<Fault> Soak::Faults() {
  const auto clock = [this](const std::string& name, int step, int seconds_max) -> Fault {
    return {.name = name,
            .seconds_max = seconds_max,
            .begin = [this, step] { SetFaults(absl::StrCat("clock=", step)); },
            .end = [this] { SetFaults(""); }};
  };
  return {
      {.name = "the program is stopped",
       .seconds_max = 75,
       .begin = [this] { program_.Signal(SIGSTOP); },
       .end = [this] { program_.Signal(SIGCONT); }},
      {.name = "the program is killed",
       .seconds_max = 20,
       .ends_program = true,
       .begin = [this] { EndProgram(SIGKILL, 128 + SIGKILL); },
       .end = [this] { StartProgram(); }},
      {.name = "the program is ended",
       .seconds_max = 20,
       .ends_program = true,
       .begin = [this] { EndProgram(SIGTERM, 0); },
       .end = [this] { StartProgram(); }},
      {.name = "the broker is killed",
       .seconds_max = 40,
       .begin = [this] { kafka_.Kill(); },
       .end =
           [this] {
             if (!kafka_.Restart()) Problem("the broker did not come back");
           }},
      {.name = "the broker is stopped",
       .seconds_max = 40,
       .begin = [this] { kafka_.Signal(SIGSTOP); },
       .end = [this] { kafka_.Signal(SIGCONT); }},
      OnDisk("the disk is full", "state", "write:ENOSPC; mkdir:ENOSPC; truncate:ENOSPC", 75),
      OnDisk("the disk is read-only", "state",
             "write:EROFS; mkdir:EROFS; truncate:EROFS; rename:EROFS; unlink:EROFS", 75),
      OnDisk("the disk is gone", "state", "any:EIO", 75),
      OnDisk("the disk fails now and then", "state",
             "any:EIO:p=0.02; write:short:p=0.1; read:short:p=0.1; any:EINTR:p=0.05", 75),
      OnDisk("fsync fails once", "state", "fsync:EIO:n=1", 5),
      OnDisk("the disk is slow", "state", "any:slow", 75),
      OnDisk("the log may not be opened or read", "logs", "open:EACCES; read:EACCES", 60),
      OnDisk("the log's handle is stale", "logs", "any:ESTALE", 60),
      OnDisk("reads of the log are cut short", "logs", "read:EINTR:p=0.3; read:short:p=0.3", 60),
      clock("the clock is an hour ahead", 3'600, 5),
      clock("the clock is an hour back", -3'600, 5),
      clock("the clock is five seconds ahead", 5, 60),
  };
}

void Soak::BreakThings(SoakTraffic* traffic) {
  std::vector<Fault> faults = Faults();
  std::erase_if(faults, [this](const Fault& fault) {
    return !absl::StrContains(fault.name, options_.fault);
  });
  if (faults.empty()) return Problem("there is no such fault: " + options_.fault);
  std::vector<std::size_t> order;  // each once, before any comes again
  while (true) {
    Wait(seconds(20), 30);
    if (!program_.running()) {
      Problem("the program ended by itself");
      StartProgram();
    }
    if (order.empty()) {
      for (std::size_t i = 0; i < faults.size(); ++i) order.push_back(i);
      std::shuffle(order.begin(), order.end(), random_);
    }
    const Fault& fault = faults[order.back()];
    order.pop_back();
    if (fault.ends_program && Elapsed() > length_ / 2) continue;
    const seconds drawn(2 + Below(static_cast<std::uint64_t>(fault.seconds_max) - 1));
    const seconds lasts = options_.fault_lasts > seconds(0) ? options_.fault_lasts : drawn;
    if (Elapsed() + lasts > length_) return;
    const TimeUs begin = HostWall();
    std::printf("%s  %s for %d s\n", FormatTime(begin).c_str(), fault.name.c_str(),
                static_cast<int>(lasts.count()));
    fault.begin();
    std::this_thread::sleep_for(lasts);
    fault.end();
    Happened({.begin = begin, .end = HostWall(), .what = fault.name});
    if (traffic->sent() == 0) Problem("nothing was sent");
  }
}

int Soak::ActUp() {
  const int answer = pagerduty_answer_;
  if (answer != 1) return answer;
  std::this_thread::sleep_for(seconds(12));  // longer than a sink waits
  return 503;
}

void Soak::BreakPagerDuty() {
  std::mt19937_64 random(seed_ + 200);
  static constexpr std::array<std::pair<int, const char*>, 4> kWays = {
      {{503, "PagerDuty answers 503"},
       {429, "PagerDuty answers 429"},
       {-1, "PagerDuty's replies are lost"},
       {1, "PagerDuty does not answer"}}};
  const auto wait = [&](std::uint64_t least, std::uint64_t more) {
    const Clock::time_point until = Clock::now() + seconds(least + random() % more);
    while (!stop_ && Clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  };
  while (!stop_) {
    wait(60, 180);
    if (stop_) return;
    const auto& [answer, name] = kWays[random() % kWays.size()];
    const TimeUs begin = HostWall();
    pagerduty_answer_ = answer;
    wait(5, 60);
    pagerduty_answer_ = 0;
    Happened({.begin = begin, .end = HostWall(), .what = name});
  }
}

void Soak::SendPoison(SoakTraffic* traffic) {
  std::mt19937_64 random(seed_ + 300);
  std::vector<std::unique_ptr<TestSocket>> silent;
  while (!stop_) {
    for (std::uint64_t i = 0; i < 20 + random() % 40 && !stop_; ++i) {
      std::this_thread::sleep_for(seconds(1));
    }
    silent.clear();
    const TimeUs begin = HostWall();
    if (random() % 4 == 0) {
      for (int i = 0; i < 200; ++i) {
        silent.push_back(std::make_unique<TestSocket>(static_cast<std::uint16_t>(http_port_)));
        silent.back()->Send("POST /v1/events HTTP/1.1\r\nContent-Length: 8000000\r\n");
      }
      Happened({.begin = begin,
                .end = HostWall(),
                .what = "200 clients that say nothing",
                .is_fault = false});
    } else {
      const std::string what = traffic->Poison();
      Happened({.begin = begin, .end = HostWall(), .what = what, .is_fault = false});
    }
  }
}

Usage Soak::Measure() const {
  Usage usage;
  usage.at = Elapsed();
  std::error_code gone;
  const std::string process = absl::StrCat("/proc/", pid_.load());
  std::ifstream pages(process + "/statm");
  double size = 0, resident = 0;
  pages >> size >> resident;
  usage.memory_mib = resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 0x1p20;
  for (std::filesystem::directory_iterator at(process + "/fd", gone), end; !gone && at != end;
       at.increment(gone)) {
    ++usage.handles;
  }
  for (std::filesystem::recursive_directory_iterator at(Path("state"), gone), end;
       !gone && at != end; at.increment(gone)) {
    if (at->path().filename() == "http") at.disable_recursion_pending();
    std::error_code no_size;
    const std::uintmax_t bytes = at->is_regular_file(no_size) ? at->file_size(no_size) : 0;
    if (!no_size) usage.state_mib += static_cast<double>(bytes) / 0x1p20;
  }
  const double panes = SumOfMetric(port_, "tocsin_journal_batch_bytes");
  usage.panes_mib = panes < 0 ? -1 : panes / 0x1p20;
  return usage;
}

void Soak::Watch(const SoakTraffic* traffic) {
  std::int64_t minute = -1;
  while (!stop_) {
    usage_.push_back(Measure());
    const Usage& usage = usage_.back();
    if (usage.at.count() / 60 != minute) {
      minute = usage.at.count() / 60;
      std::size_t open = 0;
      const std::vector<PagerDutyStandIn::Page> pages = pagerduty_->Pages();
      for (const PagerDutyStandIn::Page& page : pages) open += page.resolved ? 0 : 1;
      std::printf(
          "%s  minute %lld: %lld events sent, %.0f MiB, %d handles, state %.1f MiB (panes %.1f); "
          "%zu "
          "pages, %zu open\n",
          FormatTime(HostWall()).c_str(), static_cast<long long>(minute),
          static_cast<long long>(traffic->sent()), usage.memory_mib, usage.handles, usage.state_mib,
          usage.panes_mib, pages.size(), open);
      std::fflush(stdout);
    }
    std::this_thread::sleep_for(kSampleEvery);
  }
}

// Until everything that was decided is over and said.
void Soak::Settle() {
  std::string before;
  const bool quiet = WaitFor(kPatience, [&] {
    std::this_thread::sleep_for(seconds(15));
    const std::vector<PagerDutyStandIn::Page> pages = pagerduty_->Pages();
    std::string now = LogRotator::Read(Path("live-incidents.jsonl"));
    const bool settled =
        now == before &&
        std::all_of(pages.begin(), pages.end(), [](const auto& page) { return page.resolved; });
    before = std::move(now);
    return settled;
  });
  if (!quiet) Problem("pages are open, or decisions still come, five minutes after all is calm");
}

bool Soak::Replay() {
  Process replay;
  const Clock::time_point begin = Clock::now();
  const bool done =
      replay.Start({TOCSIN_BINARY, "replay", "-c", Path("config.yaml"),
                    absl::StrCat("kafka://", kafka_.brokers(), "/", kTopic), Path("logs"),
                    Path("state/http/events"), "--incidents", Path("replay-incidents.jsonl"),
                    "--signals", Path("replay-signals.jsonl")},
                   Path("replay.log")) &&
      replay.Wait(3'600) == 0;
  if (!done) Problem("replay failed: " + LogRotator::Read(Path("replay.log")));
  std::printf("replayed in %.0f s\n", std::chrono::duration<double>(Clock::now() - begin).count());
  return done;
}

void Soak::CompareDecisions() {
  for (const char* const what : {"incidents", "signals"}) {
    std::istringstream live(LogRotator::Read(absl::StrCat(Path("live-"), what, ".jsonl"))),
        replayed(LogRotator::Read(absl::StrCat(Path("replay-"), what, ".jsonl")));
    std::string one, other;
    int line = 0;
    bool same = true;
    while (same) {
      const bool have_one = static_cast<bool>(std::getline(live, one));
      const bool have_other = static_cast<bool>(std::getline(replayed, other));
      if (!have_one && !have_other) break;
      ++line;
      same = have_one == have_other && one == other;
    }
    if (same) {
      std::printf("%d lines of %s: live and replay are the same\n", line, what);
    } else {
      Problem(absl::StrCat(what, " differ in line ", line, "\n  live   ", one.substr(0, 600),
                           "\n  replay ", other.substr(0, 600)));
    }
  }
}

bool Soak::WasOverUnseen(const std::string& paged_at, const std::string& resolved_at) {
  absl::MutexLock lock(&events_mutex_);
  return std::any_of(events_.begin(), events_.end(), [&](const Event& event) {
    return event.is_fault && FormatTime(event.begin - kMinuteUs) < paged_at &&
           !resolved_at.empty() && resolved_at < FormatTime(event.end + kMinuteUs);
  });
}

void Soak::ComparePages() {
  std::set<std::string> due;
  std::map<std::string, std::pair<std::string, std::string>> lives;  // of a page: begin and end
  std::istringstream lines(LogRotator::Read(Path("replay-incidents.jsonl")));
  simdjson::dom::parser parser;
  std::set<std::string> incidents;
  for (std::string line; std::getline(lines, line);) {
    simdjson::dom::element incident;
    simdjson::dom::array levels;
    std::string_view id;
    if (parser.parse(line).get(incident) || incident["incident"].get(id) ||
        incident["levels"].get(levels)) {
      Problem("no incident: " + line.substr(0, 200));
      continue;
    }
    incidents.emplace(id);
    std::string_view resolved_at;
    if (incident["resolved_at"].get(resolved_at)) resolved_at = {};
    std::string raised;  // the page before, which this one takes the place of
    for (const simdjson::dom::element level : levels) {
      std::int64_t number = 0;
      std::string_view paged_at;
      if (level["paged_at"].get(paged_at) || level["level"].get(number)) continue;
      const std::string key = std::string(id) + ":" + std::to_string(number);
      due.insert(key);
      lives[key] = {std::string(paged_at), std::string(resolved_at)};
      if (!raised.empty()) lives[raised].second = paged_at;
      raised = key;
    }
  }
  std::map<std::string, int> opened;
  int blind = 0, repeated = 0;
  for (const PagerDutyStandIn::Page& page : pagerduty_->Pages()) {
    if (absl::StartsWith(page.dedup_key, "tocsin:")) {
      ++blind;
    } else {
      ++opened[page.dedup_key];
    }
    repeated += page.triggers > 1 ? 1 : 0;
    if (!page.resolved) Problem("still open: " + page.summary);
  }
  // Of many pages at once those below level 1 are one (engine/page_grouper), with an id of its own.
  std::map<std::string, int> folds;  // by level: the pages that are missing
  for (const auto& [key, times] : opened) {
    if (due.contains(key)) continue;
    if (key.ends_with(":1")) {
      Problem("no replay decides page " + key);
    } else {
      folds[key.substr(key.find(':'))] = 0;
    }
  }
  int over = 0;
  for (const std::string& key : due) {
    const int times = opened.contains(key) ? opened[key] : 0;
    const auto fold = folds.find(key.substr(key.find(':')));
    if (times == 0 && WasOverUnseen(lives[key].first, lives[key].second)) {
      ++over;
    } else if (times == 0 && fold != folds.end()) {
      ++fold->second;
    } else if (times != 1) {
      Problem(absl::StrCat("page ", key, " was opened ", times, " times"));
    }
  }
  for (const auto& [level, pages] : folds) {
    if (pages == 0) Problem(absl::StrCat("no replay decides a page of level ", level.substr(1)));
    std::printf("%d pages of level %s were folded\n", pages, level.substr(1).c_str());
  }
  std::printf(
      "%zu incidents, %zu pages due, %zu opened, %d of them sent more than once; %d of what was "
      "over, or raised, unseen; %d pages about tocsin itself\n",
      incidents.size(), due.size(), opened.size(), repeated, over, blind);
  for (const std::string& reason : pagerduty_->Rejected()) Problem("PagerDuty refused: " + reason);
}

void Soak::CompareUsage() {
  // Medians, since a fault may well take memory while it lasts.
  const auto median = [this](double from, double to, auto of) {
    std::vector<double> values;
    for (const Usage& usage : usage_) {
      if (usage.panes_mib < 0) continue;
      const double share =
          static_cast<double>(usage.at.count()) / static_cast<double>(length_.count());
      if (share >= from && share < to) values.push_back(of(usage));
    }
    if (values.empty()) return 0.0;
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  const auto compare = [&](const char* name, double allowed, auto of) {
    const double before = median(0.5, 0.7, of), after = median(0.8, 1.0, of);
    std::printf("%s: %.1f in the middle, %.1f at the end\n", name, before, after);
    if (after > before * 1.1 + allowed) Problem(absl::StrCat(name, " grew"));
  };
  compare("MiB of memory", 16, [](const Usage& usage) { return usage.memory_mib; });
  compare("handles", 8, [](const Usage& usage) { return static_cast<double>(usage.handles); });
  compare("bytes of state on disk for each byte of panes", 0.1,
          [](const Usage& usage) { return usage.state_mib / std::max(usage.panes_mib, 0.001); });
}

// For each kind of event how often it came, and of faults what was said while they lasted or within
// a minute.
void Soak::TellFaults() {
  std::vector<std::pair<std::string, std::string>> said;  // time, the rest
  std::istringstream lines(LogRotator::Read(Path("run.log")));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(' ');
    if (end == std::string::npos || absl::StrContains(line.substr(end, 6), "info")) continue;
    said.emplace_back(line.substr(0, end), line.substr(end + 1));
  }
  absl::MutexLock lock(&events_mutex_);
  std::map<std::string, std::vector<Event>> kinds;
  for (const Event& event : events_) kinds[event.what].push_back(event);
  for (const auto& [name, events] : kinds) {
    int lines_said = 0;
    std::string first;
    for (const Event& event : events) {
      const std::string begin = FormatTime(event.begin), end = FormatTime(event.end + kMinuteUs);
      for (const auto& [time, text] : said) {
        if (!event.is_fault || time < begin || time > end) continue;
        ++lines_said;
        if (first.empty()) first = text.substr(0, 120);
      }
    }
    std::printf("%4zu × %-45s %4d lines  %s\n", events.size(), name.c_str(), lines_said,
                first.c_str());
  }
}

int Soak::Run() {
  if (folder_.empty() || !kafka_.Start() ||
      !kafka_.CreateTopic(kTopic, kPartitions, {{"message.timestamp.type", "LogAppendTime"}}) ||
      !pagerduty_->Start().ok()) {
    return 3;
  }
  setenv("no_proxy", "127.0.0.1", 1);
  port_ = FreePort();
  http_port_ = FreePort();
  WriteConfig();
  SetFaults("");
  std::printf("in %s\n", folder_.c_str());
  if (!StartProgram()) return 3;
  SoakTraffic traffic({.brokers = kafka_.brokers(),
                       .topic = kTopic,
                       .partitions = kPartitions,
                       .logs = Path("logs"),
                       .http_port = http_port_,
                       .events_per_second = options_.events_per_second,
                       .seed = seed_,
                       .outages_until = length_ - length_ / 10});
  begin_ = Clock::now();
  traffic.Start();
  std::thread watching([&] { Watch(&traffic); });
  std::thread pagerduty([&] { BreakPagerDuty(); });
  std::thread poison([&] { SendPoison(&traffic); });
  BreakThings(&traffic);
  while (Elapsed() < length_) std::this_thread::sleep_for(seconds(1));
  stop_ = true;
  watching.join();
  pagerduty.join();
  poison.join();
  traffic.Calm();
  std::this_thread::sleep_for(seconds(90));
  // What is open at the end of the traffic would only resolve live.
  Settle();
  traffic.Stop();
  Settle();
  EndProgram(SIGTERM, 0);
  std::printf("%lld events, %lld rotations, %zu outages of a service\n",
              static_cast<long long>(traffic.sent()), static_cast<long long>(traffic.rotations()),
              traffic.outages());
  if (Replay()) {
    CompareDecisions();
    ComparePages();
  }
  CompareUsage();
  TellFaults();
  if (problems_ == 0) {
    std::printf("no problem\n");
    std::filesystem::remove_all(folder_);
  } else {
    std::printf("%d problems; everything is in %s\n", problems_, folder_.c_str());
  }
  return problems_ == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Options options;
  if (argc > 1) options.length = std::chrono::minutes(std::atoi(argv[1]));
  if (argc > 2) options.seed = std::strtoull(argv[2], nullptr, 10);
  if (argc > 3) options.events_per_second = std::atoi(argv[3]);
  if (argc > 4) options.fault = argv[4];
  if (argc > 5) options.fault_lasts = seconds(std::atoi(argv[5]));
  if (options.length < std::chrono::minutes(2) || options.events_per_second < 1'000) {
    std::fprintf(stderr,
                 "usage: faults [MINUTES [SEED [EVENTS_PER_SECOND [FAULT [SECONDS]]]]], at least 2 "
                 "minutes and 1,000 events/s\n");
    return 2;
  }
  return Soak(options).Run();
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) { return tocsin::Main(argc, argv); }
