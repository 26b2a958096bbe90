#include "correlate/lifecycle.h"

namespace tocsin {
namespace {

std::size_t Index(int level) { return static_cast<std::size_t>(level - 1); }

}  // namespace

bool AdvanceState(const LifecycleTime& time, IncidentRecord* record) {
  Incident& incident = record->incident;
  const IncidentState before = incident.state;
  if (before == IncidentState::kResolved) return false;
  if (!record->firing.empty()) {
    record->quiet_since = kNoTime;
    if (before == IncidentState::kMonitoring) {
      incident.state =
          incident.acknowledged_at == kNoTime ? IncidentState::kOpen : IncidentState::kAcknowledged;
    }
  } else if (before != IncidentState::kMonitoring || record->quiet_since == kNoTime) {
    // Also where something fired and cleared within this one tick: the watch starts anew.
    record->quiet_since = time.now;
    incident.state = IncidentState::kMonitoring;
  } else if (!time.partial && time.now - record->quiet_since >= time.watch) {
    incident.state = IncidentState::kResolved;
    incident.resolved_at = time.tick;
  }
  return incident.state != before;
}

Pages DecidePages(const SeverityScheme& scheme, TimeUs tick, IncidentRecord* record) {
  Incident& incident = record->incident;
  const int level = incident.severity_level;
  const int told = record->triggered_level;
  const auto notification = [&](NotificationAction action, int of_level, int after) {
    return Notification{.action = action,
                        .level = of_level,
                        .after_trigger_of_level = after,
                        .tick = tick,
                        .pages = scheme.pages[Index(of_level)],
                        .incident = {}};
  };

  Pages pages;
  if (incident.state == IncidentState::kResolved) {
    if (told != 0) {
      pages.resolves.push_back(notification(NotificationAction::kResolve, told, 0));
    }
    record->triggered_level = 0;
    return pages;
  }
  const bool due = told == 0 ? level == 1 || tick > record->opened_tick : level < told;
  if (!due) return pages;
  pages.triggers.push_back(notification(NotificationAction::kTrigger, level, 0));
  if (told != 0) {
    pages.resolves.push_back(notification(NotificationAction::kResolve, told, level));
  }
  record->triggered_level = level;
  if (scheme.pages[Index(level)]) ++incident.pages;
  return pages;
}

std::string IncidentNumber(int year, std::int64_t count) {
  std::string digits = std::to_string(count);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return "INC-" + std::to_string(year) + "-" + digits;
}

TimeUs NextUpdate(const SeverityScheme& scheme, TimeUs now, const Incident& incident) {
  const auto& every = scheme.update_every[Index(incident.severity_level)];
  if (incident.state == IncidentState::kResolved || !every) return kNoTime;
  return now + *every;
}

}  // namespace tocsin
