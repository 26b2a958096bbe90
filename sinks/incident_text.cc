#include "sinks/incident_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/labels.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kTextBytesMax = 400;

std::string ShareText(std::int64_t part, std::int64_t whole) {
  return PercentText(static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::string Safe(std::string_view text) { return OneLine(text, kTextBytesMax); }

std::string ClockText(TimeUs time) { return time == kNoTime ? "unknown" : FormatClock(time); }

std::string DateAndClockText(TimeUs time) {
  if (time == kNoTime) return "unknown";
  return absl::StrCat(FormatTime(FloorTo(time, kDayUs)).substr(0, 10), " ", FormatClock(time),
                      " UTC");
}

const Evidence* FindEvidence(const Signal& signal, std::string_view kind, std::string_view name) {
  for (const Evidence& evidence : signal.evidence) {
    if (evidence.kind == kind && (name.empty() || evidence.name == name)) return &evidence;
  }
  return nullptr;
}

std::vector<std::optional<double>> PlotOf(const Evidence& evidence) {
  absl::string_view list = evidence.json;
  std::vector<std::optional<double>> values;
  if (!absl::ConsumePrefix(&list, "[") || !absl::ConsumeSuffix(&list, "]")) return values;
  for (const absl::string_view item : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    double value = 0;
    const bool number = absl::SimpleAtod(item, &value) && std::isfinite(value);
    values.push_back(number ? std::optional(value) : std::nullopt);
  }
  return values;
}

double Largest(std::span<const std::optional<double>> values) {
  double largest = 0;
  for (const std::optional<double>& value : values) largest = std::max(largest, value.value_or(0));
  return largest;
}

std::string ValueText(const Signal& signal, double value) {
  const Evidence* plot = FindEvidence(signal, "panes", "");
  const std::string_view unit = plot == nullptr ? "" : std::string_view(plot->name);
  if (unit.ends_with("_ms")) return absl::StrCat(ShortNumber(value), " ms");
  const bool of_limit = unit == "level" && FindEvidence(signal, "baseline", "limit") != nullptr;
  if (unit == "rate" || unit.ends_with("share") || of_limit) return PercentText(value);
  return ShortNumber(value);
}

std::string OwnLabelsText(const Incident& incident, const Signal& signal) {
  Labels labels;
  for (const auto& label : signal.series) {
    const auto& scope = incident.scope_labels;
    if (std::find(scope.begin(), scope.end(), label) == scope.end()) labels.push_back(label);
  }
  return Safe(LabelsText(labels));
}

std::string WhereText(const Incident& incident) {
  std::vector<std::string> where;
  for (const auto& [name, value] : incident.scope_labels) where.push_back(Safe(value));
  if (!incident.component.empty()) where.push_back(Safe(incident.component));
  return absl::StrJoin(where, ", ");
}

std::string UsersText(const Impact& impact) {
  if (!impact.users_affected) return "unknown";
  std::string users = GroupedNumber(*impact.users_affected);
  if (!impact.users_total || *impact.users_total <= 0) return users + " affected";
  absl::StrAppend(&users, " of ", GroupedNumber(*impact.users_total), " affected (",
                  ShareText(*impact.users_affected, *impact.users_total), ")");
  return users;
}

std::string FailedText(const Impact& impact) {
  std::string failed =
      absl::StrCat(GroupedNumber(impact.failed - impact.failed_transactions), " requests, ",
                   GroupedNumber(impact.failed_transactions), " transactions");
  if (impact.revenue) {
    absl::StrAppend(&failed, " worth ", GroupedNumber(std::llround(*impact.revenue)));
  }
  return failed;
}

}  // namespace tocsin
