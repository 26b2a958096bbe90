#include "correlate/severity.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tocsin {
namespace {

bool Raise(int level, std::string rule, Incident* incident) {
  if (level >= incident->severity_level) return false;
  incident->severity_level = level;
  incident->severity_rule = std::move(rule);
  return true;
}

std::string Percent(double share) { return FormatNumber(share * 100) + " %"; }

// One decimal is enough for a rule in words.
std::string RoughPercent(double share) {
  return FormatNumber(static_cast<double>(static_cast<std::int64_t>(share * 1000 + 0.5)) / 10) +
         " %";
}

}  // namespace

bool RaiseForSignal(const Signal& signal, Incident* incident) {
  const int level = std::clamp(signal.level, 1, 4);
  return Raise(level, signal.detector + " gives level " + std::to_string(level), incident);
}

bool RaiseForCategory(const SeverityScheme& scheme, const Signal& signal, Incident* incident) {
  const int level = scheme.category_level[static_cast<std::size_t>(signal.category)];
  if (level == 0) return false;
  return Raise(level,
               "category " + std::string(CategoryName(signal.category)) + " is at least level " +
                   std::to_string(level),
               incident);
}

bool RaiseForUsers(const SeverityScheme& scheme, std::int64_t users_failed, Incident* incident) {
  const Impact& impact = incident->impact;
  if (users_failed <= 0 || !impact.users_affected) return false;
  const std::vector<Signal>& signals = incident->signals;
  const bool only_surge = std::all_of(signals.begin(), signals.end(), [](const Signal& signal) {
    return signal.classification == "surge";
  });
  if (only_surge) return false;

  const bool down =
      std::any_of(signals.begin(), signals.end(), [](const Signal& signal) { return signal.down; });
  const auto users = static_cast<double>(users_failed);
  bool raised = false;
  const auto apply = [&](const SeverityScheme::UsersRule& rule, double value,
                         const std::string& text) {
    if (value <= rule.above || (rule.down && !down)) return;
    raised |= Raise(rule.level, text + (rule.down ? " while a service is down" : ""), incident);
  };
  if (impact.users_total.value_or(0) > 0) {
    const double share = users / static_cast<double>(*impact.users_total);
    for (const SeverityScheme::UsersRule& rule : scheme.users_share) {
      apply(rule, share,
            RoughPercent(share) + " of users affected (above " + Percent(rule.above) + ")");
    }
  }
  for (const SeverityScheme::UsersRule& rule : scheme.users_count) {
    apply(
        rule, users,
        std::to_string(users_failed) + " users affected (above " + FormatNumber(rule.above) + ")");
  }
  return raised;
}

bool RaiseAfterRollback(const SeverityScheme& scheme, TimeUs now, IncidentRecord* record) {
  if (!scheme.level_1_after_rollback || record->rolled_back_at == kNoTime) return false;
  if (now - record->rolled_back_at < *scheme.level_1_after_rollback) return false;
  const std::vector<Signal>& signals = record->incident.signals;
  const bool persists = std::any_of(signals.begin(), signals.end(), [&](const Signal& signal) {
    return signal.firing() && !signal.degraded_only && signal.onset < record->rolled_back_at;
  });
  if (!persists) return false;
  return Raise(
      1, "still failing " + FormatDuration(*scheme.level_1_after_rollback) + " after the rollback",
      &record->incident);
}

void ApplyScheme(const SeverityScheme& scheme, Incident* incident) {
  const auto index = static_cast<std::size_t>(incident->severity_level - 1);
  incident->severity = scheme.names[index];
  incident->respond_within_s.reset();
  if (scheme.respond_within[index]) {
    incident->respond_within_s = *scheme.respond_within[index] / kSecondUs;
  }
}

}  // namespace tocsin
