#include "engine/series_limit_alarm.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/json_writer.h"
#include "core/limits.h"
#include "engine/scope_limit.h"

namespace tocsin {
namespace {

constexpr int kLevel = 3;
constexpr DurationUs kClearAfter = 30 * kMinuteUs;

}  // namespace

bool SeriesLimitAlarm::IsOther(std::string_view scope) const {
  return !scope.empty() && scope == ScopeLimit::OtherOf(config_->scope.size());
}

std::size_t SeriesLimitAlarm::LimitOf(std::string_view scope, bool crowded) const {
  if (IsOther(scope)) return ScopeLimit::kScopesMax;
  return crowded ? limits::kDetectorSeriesMax : config_->limits.series_max;
}

TitledChange SeriesLimitAlarm::Fire(const std::string& scope,
                                    const std::vector<std::string>& detectors, bool crowded,
                                    TimeUs tick) const {
  const std::size_t limit = LimitOf(scope, crowded);
  Signal signal;
  signal.id = SignalId(kSeriesLimitAlarm, scope, tick);
  signal.detector = kSeriesLimitAlarm;
  signal.kind = "self";
  signal.scope = scope;
  signal.series = LabelsFromKey(config_->ScopeNames(), scope);
  signal.series.emplace_back("service", "tocsin");
  signal.category = Category::kCapacity;
  signal.level = kLevel;
  signal.degraded_only = true;
  signal.onset = tick;
  signal.fired_at = tick;
  signal.value = static_cast<double>(limit);
  signal.threshold = signal.value;
  JsonWriter names;
  names.BeginArray();
  for (const std::string& detector : detectors) names.String(detector);
  names.EndArray();
  signal.evidence.push_back({.kind = "top", .name = "detector", .json = names.Take()});
  std::string title;
  if (IsOther(scope)) {
    title =
        absl::StrCat("past ", limit, " values of ", absl::StrJoin(config_->ScopeNames(), " and "),
                     ", new ones count as (other)");
  } else {
    title = absl::StrCat("past ", limit, crowded ? " series of all scopes together" : " series",
                         ", new ones of ", absl::StrJoin(detectors, ", "), " count as (other)");
  }
  return {.change = {SignalChangeKind::kFired, std::move(signal)}, .title = std::move(title)};
}

void SeriesLimitAlarm::Step(const Input& input, std::vector<TitledChange>* changes) {
  std::map<std::string, std::vector<std::string>> over;
  for (const auto& [scope, detector] : input.over) over[scope].push_back(detector);
  for (const auto& [scope, detectors] : over) {
    const auto [found, fired] = firing_.try_emplace(scope);
    found->second.last_over = input.tick;
    if (!fired) continue;
    changes->push_back(Fire(scope, detectors, input.crowded.contains(scope), input.tick));
    found->second.signal = changes->back().change.signal;
  }
  for (auto firing = firing_.begin(); firing != firing_.end();) {
    if (input.partial || firing->second.last_over + kClearAfter > input.tick) {
      ++firing;
      continue;
    }
    firing->second.signal.cleared_at = input.tick;
    changes->push_back(
        {.change = {SignalChangeKind::kCleared, firing->second.signal}, .title = ""});
    firing = firing_.erase(firing);
  }
}

void SeriesLimitAlarm::Encode(ByteWriter* out) const {
  out->Varint(firing_.size());
  for (const auto& [scope, firing] : firing_) {
    firing.signal.Encode(out);
    out->Signed(firing.last_over);
  }
}

void SeriesLimitAlarm::Decode(ByteReader* in) {
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    Firing firing;
    firing.signal = Signal::Decode(in);
    firing.last_over = in->Signed();
    std::string scope = firing.signal.scope;
    firing_[std::move(scope)] = std::move(firing);
  }
}

}  // namespace tocsin
