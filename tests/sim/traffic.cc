#include "tests/sim/traffic.h"

#include <array>
#include <random>
#include <utility>

#include "tests/engine/text_decoder.h"

namespace tocsin::testing {

const char* const kSimYaml = R"(
inputs:
  - {name: app, file: app.log}
  - {name: cloud, file: cloud.log, delay: 30s}
  - {name: legacy, file: legacy.log, delay: 20s}
topology:
  api: [orders-db]
  web: [api]
correlate: {watch: 30s}
detectors:
  - name: pool
    kind: saturation
    by: [dependency]
    max: 100
    keep_firing_for: 10s
    warn: {above: 80%, for: 0s, level: 3}
    critical: {above: 95%, for: 0s, level: 2}
  - name: errors
    kind: error_rate
    inputs: [app, legacy]
    by: [service]
    keep_firing_for: 10s
    warn: {above: 5%, window: 30s, for: 20s, level: 2}
    critical: {above: 50%, window: 30s, for: 0s, level: 1}
  - name: pool-log
    kind: saturation
    by: [service]
    pattern: exhausted
    keep_firing_for: 10s
    critical: {count: 2, window: 20s, for: 0s, level: 3}
  - name: breaker
    kind: state
    by: [service]
    keep_firing_for: 10s
    critical: {for: 0s, level: 3}
)";

namespace {

constexpr std::array<const char*, 3> kServices = {"api", "web", "jobs"};
constexpr std::array<const char*, 2> kDependencies = {"orders-db", "cache"};

// When something is wrong, in ms.
struct Window {
  std::int64_t begin = 0, end = 0;
  bool Holds(std::int64_t time) const { return time >= begin && time < end; }
};

class Drawing {
 public:
  Drawing(std::uint64_t seed, const LogShape& shape) : random_(seed), shape_(shape) {
    for (Window& window : failing_) window = DrawWindow();
    for (Window& window : full_) window = DrawWindow();
  }

  std::vector<SimLog> Logs() {
    const std::size_t partitions = 2 + Below(4);
    std::vector<SimLog> logs;
    for (std::size_t i = 0; i < partitions; ++i) {
      static constexpr std::array<const char*, 3> kInputs = {"app", "cloud", "legacy"};
      const std::size_t input = Below(3);
      SimLog log;
      log.input = kInputs[input];
      log.source = log.input + "/logs/" + std::to_string(i);
      log.append_time = input == 2 ? OneIn(4) : !OneIn(4);
      log.records = Records(log.append_time, &log.behind_middle);
      logs.push_back(std::move(log));
    }
    return logs;
  }

 private:
  std::uint64_t Below(std::uint64_t n) { return random_() % n; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }
  std::int64_t Milliseconds(std::uint64_t below) { return static_cast<std::int64_t>(Below(below)); }

  Window DrawWindow() {
    Window window;
    window.begin = Milliseconds(250'000);
    window.end = window.begin + 30'000 + Milliseconds(100'000);
    return window;
  }

  std::vector<SimRecord> Records(bool append_time, std::size_t* behind_middle) {
    std::vector<SimRecord> records;
    std::int64_t now = Milliseconds(40'000);
    std::int64_t offset = Milliseconds(4);
    int wrong_left = 0;
    std::int64_t wrong = 0;
    const std::uint64_t middle = shape_.records_min / 2;
    for (std::uint64_t n = shape_.records_min + Below(shape_.records_spread); n > 0; --n) {
      if (shape_.quiet_middle && records.size() == middle) {
        wrong_left = 0;
        for (int quiet = OneIn(2) ? 4 : 14; quiet > 0; --quiet) {
          now += 10'000;
          const TimeUs time = kBase + now * kMillisecondUs;
          records.push_back({.offset = offset++, .timestamp = time, .text = "", .written = time});
        }
        *behind_middle = records.size();
      }
      now += OneIn(40) ? Milliseconds(shape_.gap_ms) : Milliseconds(shape_.step_ms);
      if (!append_time && shape_.wrong_times && wrong_left == 0 && OneIn(15)) {
        // Three and more in a row are believed.
        wrong_left = OneIn(4) ? 3 : 1;
        wrong = 62'000 + Milliseconds(OneIn(2) ? 60'000 : 1'000'000);
      }
      std::int64_t stamp = now;
      if (wrong_left > 0) {
        --wrong_left;
        stamp += wrong;
      } else if (!append_time) {
        stamp -= Milliseconds(shape_.late_ms);  // producers are not in step
      }
      records.push_back(
          {offset, kBase + stamp * kMillisecondUs, Text(stamp), kBase + now * kMillisecondUs});
      offset += OneIn(10) ? 2 + Milliseconds(5) : 1;
    }
    return records;
  }

  std::string Text(std::int64_t stamp) {
    std::string text;
    for (std::uint64_t events = Below(5); events > 0; --events) {
      std::int64_t time = stamp - Milliseconds(8'000);
      if (OneIn(12)) time -= Milliseconds(90'000);
      if (OneIn(15)) time += Milliseconds(90'000);
      text +=
          "t=" + std::to_string(time) + " user=u" + std::to_string(Below(12)) + Event(time) + '\n';
    }
    return OneIn(50) ? text + "garbage" : text;
  }

  std::string Event(std::int64_t time) {
    const std::size_t service = Below(kServices.size());
    const std::string name = std::string(" service=") + kServices[service];
    const std::uint64_t kind = Below(22);
    if (kind < 12) {
      const bool fails = failing_[service].Holds(time) && !OneIn(5);
      return " type=request" + name + (fails ? " status=503" : " status=200");
    }
    if (kind < 16) {
      const std::size_t which = Below(kDependencies.size());
      const std::int64_t level = (full_[which].Holds(time) ? 85 : 40) + Milliseconds(14);
      return std::string(" type=metric dependency=") + kDependencies[which] +
             " value=" + std::to_string(level);
    }
    if (kind < 18) {
      return " type=log" + name + (failing_[service].Holds(time) ? " message=exhausted" : "");
    }
    if (kind < 20) {
      return " type=alarm" + name + (failing_[service].Holds(time) ? " state=alarm" : " state=ok");
    }
    // Few ids, so that some are delivered again.
    return " type=deploy" + name + " id=d" + std::to_string(Below(40)) + " version=v" +
           std::to_string(Below(9));
  }

  std::mt19937_64 random_;
  const LogShape shape_;
  std::array<Window, kServices.size()> failing_;
  std::array<Window, kDependencies.size()> full_;
};

}  // namespace

SourceRecord SimLog::At(std::size_t index) const {
  const SimRecord& record = records[index];
  return {.offset = record.offset,
          .next_offset = record.offset + 1,
          .timestamp = record.timestamp,
          .append_time = append_time,
          .bytes = record.text};
}

std::vector<SimLog> DrawLogs(std::uint64_t seed, const LogShape& shape) {
  return Drawing(seed, shape).Logs();
}

std::unique_ptr<SourcePartition> NewPartition(const Plan& plan, const SimLog& log) {
  SourcePartition::Options options;
  options.plan = &plan;
  options.input = log.input;
  options.source = log.source;
  options.decoder = std::make_unique<TextDecoder>();
  return std::make_unique<SourcePartition>(std::move(options));
}

TimeUs ImpliedTime(const SimLog& log, std::size_t next, const SourcePartition& partition) {
  if (!log.append_time || next >= log.records.size()) return kNoTime;
  const SimRecord& record = log.records[next];
  return record.offset < partition.next_offset() ? kNoTime : record.timestamp;
}

std::vector<std::string> JournalOf(const Plan& plan, const std::vector<SimLog>& logs,
                                   SourceCounters* counters) {
  std::vector<std::string> records = {ExpectRecord(logs)};
  for (const SimLog& log : logs) {
    const std::unique_ptr<SourcePartition> partition = NewPartition(plan, log);
    for (std::size_t i = 0; i < log.records.size(); ++i) partition->Feed(log.At(i));
    partition->End();
    EncodeTo(partition->TakeBatches(), plan, &records);
    if (counters == nullptr) continue;
    counters->late += partition->counters().late;
    counters->quarantined += partition->counters().quarantined;
  }
  return records;
}

void EncodeTo(const std::vector<PaneBatch>& batches, const Plan& plan,
              std::vector<std::string>* records) {
  for (const PaneBatch& batch : batches) {
    for (std::string& chunk : EncodeBatch(batch, plan)) records->push_back(std::move(chunk));
  }
}

std::string ExpectRecord(const std::vector<SimLog>& logs) {
  ControlRecord expect;
  for (const SimLog& log : logs) expect.sources.push_back(log.source);
  return EncodeControl(expect);
}

}  // namespace tocsin::testing
