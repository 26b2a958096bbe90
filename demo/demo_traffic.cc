#include "demo/demo_traffic.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "cli/card.h"
#include "core/number_text.h"

namespace tocsin {
namespace {

constexpr int kBarWidth = 16;

// `share` of a bar, in eighths of a character, in the colour of `alert`, filled up with spaces.
std::string Bar(double share, std::string_view alert, bool colour) {
  constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const long eighths = std::lround(std::clamp(share, 0.0, 1.0) * kBarWidth * 8);
  std::string bar;
  for (long i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kEighths[eighths % 8];
  const long used = eighths / 8 + (eighths % 8 > 0 ? 1 : 0);
  return Painted(bar, alert, colour).append(static_cast<std::size_t>(kBarWidth - used), ' ');
}

// The colour of trouble: none below `warn`, then yellow, then red.
std::string_view Alert(double value, double warn, double critical) {
  if (value >= critical) return "1;31";
  return value >= warn ? "33" : "32";
}

}  // namespace

void TrafficMeter::Add(const StoryRecord& record) {
  const TimeUs start = FloorTo(record.time, kMinuteUs);
  if (minutes_.empty() || minutes_.back().start != start) {
    minutes_.push_back({.start = start, .durations_ms = {}});
  }
  Minute& minute = minutes_.back();
  if (record.type == EventType::kRequest) {
    minute.durations_ms.push_back(record.duration_ms);
    if (record.failed) ++minute.failed;
  }
  if (record.connections >= 0) minute.connections = record.connections;
}

std::optional<TrafficRow> TrafficMeter::Take(TimeUs until) {
  if (minutes_.empty() || minutes_.front().start + kMinuteUs > until) return std::nullopt;
  TrafficRow row = RowOf(std::move(minutes_.front()));
  minutes_.pop_front();
  return row;
}

TrafficRow TrafficMeter::RowOf(Minute minute) {
  TrafficRow row{.start = minute.start};
  row.connections = minute.connections;
  std::vector<double>& durations = minute.durations_ms;
  if (durations.empty()) return row;
  const auto requests = static_cast<double>(durations.size());
  row.requests_per_second = requests * kSecondUs / kMinuteUs;
  row.failed_share = minute.failed / requests;
  const auto p95 = durations.begin() + static_cast<std::ptrdiff_t>(durations.size() * 95 / 100);
  std::nth_element(durations.begin(), p95, durations.end());
  row.p95_ms = *p95;
  return row;
}

std::string RowText(const TrafficRow& row, bool colour) {
  const double in_use = row.connections / story::kPoolLimit;
  std::string text =
      absl::StrFormat("  %s  %3.0f requests/s  p95 %5s ms  db pool %3.0f %s failing %5.1f %% %s",
                      FormatClock(row.start + kMinuteUs), row.requests_per_second,
                      GroupedNumber(std::llround(row.p95_ms)), row.connections,
                      Bar(in_use, Alert(in_use, 0.80, 0.95), colour), row.failed_share * 100,
                      Bar(row.failed_share, Alert(row.failed_share, 0.01, 0.05), colour));
  absl::StripTrailingAsciiWhitespace(&text);
  return text;
}

bool WorthPrinting(const TrafficRow& row, const std::optional<TrafficRow>& printed) {
  if (!printed || row.start - printed->start >= 5 * kMinuteUs) return true;
  return std::fabs(row.failed_share - printed->failed_share) > 0.03 ||
         std::fabs(row.connections - printed->connections) > 5;
}

}  // namespace tocsin
