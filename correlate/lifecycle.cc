#include "correlate/lifecycle.h"

#include <algorithm>

namespace tocsin {
namespace {

// Longest watch time that flap damping can set: after an hour of quiet an incident is over.
constexpr DurationUs kWatchMax = kHourUs;

std::size_t Index(int level) { return static_cast<std::size_t>(level - 1); }

bool PagesPeople(const SeverityScheme& scheme, int level, const Incident& incident) {
  const std::string_view environment = LabelValue(incident.scope_labels, "env");
  const std::vector<std::string>& quiet = scheme.quiet_environments;
  return scheme.pages[Index(level)] &&
         std::find(quiet.begin(), quiet.end(), environment) == quiet.end();
}

IncidentState StateWhileFiring(const Incident& incident) {
  return incident.acknowledged_at == kNoTime ? IncidentState::kOpen : IncidentState::kAcknowledged;
}

void FireAgain(TimeUs tick, IncidentRecord* record) {
  Incident& incident = record->incident;
  if (incident.state == IncidentState::kResolved) {
    incident.resolved_at = kNoTime;
    record->NoteOwn(tick, "reopened", "");
  }
  ++record->refired;
  incident.state = StateWhileFiring(incident);
}

void ExpireAcknowledgement(TimeUs tick, IncidentRecord* record) {
  Incident& incident = record->incident;
  if (record->acknowledged_until == kNoTime || tick < record->acknowledged_until) return;
  record->acknowledged_until = kNoTime;
  incident.acknowledged_at = kNoTime;
  incident.acknowledged_by.clear();
  if (incident.state == IncidentState::kAcknowledged) incident.state = IncidentState::kOpen;
  record->NoteOwn(tick, "acknowledgement expired", "");
}

}  // namespace

bool AdvanceState(const LifecycleTime& time, IncidentRecord* record) {
  Incident& incident = record->incident;
  const IncidentState before = incident.state;
  if (before != IncidentState::kResolved) ExpireAcknowledgement(time.tick, record);
  if (!record->firing.empty()) {
    record->quiet_since = kNoTime;
    if (before == IncidentState::kMonitoring || before == IncidentState::kResolved) {
      FireAgain(time.tick, record);
    }
  } else if (before == IncidentState::kResolved) {
    return false;
  } else if (before != IncidentState::kMonitoring || record->quiet_since == kNoTime) {
    // Also if a signal fired and cleared within this tick: the watch time starts again.
    record->quiet_since = time.now;
    incident.state = IncidentState::kMonitoring;
  } else if (!time.partial && time.now - record->quiet_since >= time.watch) {
    incident.state = IncidentState::kResolved;
    incident.resolved_at = time.tick;
  }
  return incident.state != before;
}

DurationUs WatchOf(const CorrelateConfig& config, const IncidentRecord& record) {
  if (!config.flap_damping) return config.watch;
  // The first refiring does not count: it may be the tail of the fault. 12 doublings of the
  // shortest watch, 2^12 s, exceed kWatchMax.
  const int doublings = std::clamp(record.refired - 1, 0, 12);
  return std::max(config.watch, std::min(config.watch << doublings, kWatchMax));
}

Pages DecidePages(const Config& config, TimeUs tick, IncidentRecord* record) {
  Incident& incident = record->incident;
  const SeverityScheme& scheme = config.severity;
  const int level = incident.severity_level;
  const int triggered = record->triggered_level;
  const auto notification = [&](NotificationAction action, int of_level, int after) {
    return Notification{.action = action,
                        .level = of_level,
                        .after_trigger_of_level = after,
                        .tick = tick,
                        .pages = PagesPeople(scheme, of_level, incident),
                        .incident = {}};
  };

  Pages pages;
  if (incident.merged_into.empty()) incident.NoteLevel(tick);
  if (incident.state == IncidentState::kResolved) {
    const bool waits = !record->resolved_by_person && incident.merged_into.empty() &&
                       tick - incident.resolved_at < config.correlate.reopen_within;
    if (triggered == 0 || waits) return pages;
    pages.resolves.push_back(notification(NotificationAction::kResolve, triggered, 0));
    record->triggered_level = 0;
    return pages;
  }
  if (!incident.muted_by.empty()) return pages;
  const bool due = triggered == 0 ? level == 1 || tick > record->opened_tick : level < triggered;
  if (!due) return pages;
  pages.triggers.push_back(notification(NotificationAction::kTrigger, level, 0));
  if (triggered != 0) {
    pages.resolves.push_back(notification(NotificationAction::kResolve, triggered, level));
  }
  record->triggered_level = level;
  record->triggered_at = tick;
  record->escalation_step = 0;
  if (PagesPeople(scheme, level, incident)) incident.NotePage(tick);
  return pages;
}

bool IsOver(const IncidentRecord& record) {
  return record.incident.state == IncidentState::kResolved && record.triggered_level == 0;
}

bool Remind(const SeverityScheme& scheme, const LifecycleTime& time, IncidentRecord* record,
            Pages* pages) {
  Incident& incident = record->incident;
  const int triggered = record->triggered_level;
  if (triggered == 0 || incident.state == IncidentState::kResolved || !incident.muted_by.empty()) {
    return false;
  }
  const auto& steps = scheme.escalation[Index(triggered)];
  bool escalated = false;
  while (incident.state == IncidentState::kOpen && record->escalation_step < steps.size() &&
         time.tick - record->triggered_at >= steps[record->escalation_step].after) {
    const SeverityScheme::EscalationStep& step = steps[record->escalation_step++];
    std::string text;
    for (const std::string& role : step.to) {
      if (!text.empty()) text += ", ";
      text += role;
      if (std::find(record->escalated.begin(), record->escalated.end(), role) ==
          record->escalated.end()) {
        record->escalated.push_back(role);
      }
    }
    record->NoteOwn(time.tick, "escalated",
                    "to " + text + ": not acknowledged for " + FormatDuration(step.after));
    escalated = true;
  }
  const bool due = incident.next_update_at != kNoTime && time.now >= incident.next_update_at;
  if (!escalated && !due) return false;
  incident.next_update_at = NextUpdate(scheme, time.now, incident);
  pages->updates.push_back({.action = NotificationAction::kUpdate,
                            .level = triggered,
                            .after_trigger_of_level = 0,
                            .tick = time.tick,
                            .pages = false,
                            .incident = {}});
  if (escalated) {
    pages->escalations.push_back({.action = NotificationAction::kEscalate,
                                  .level = triggered,
                                  .after_trigger_of_level = 0,
                                  .tick = time.tick,
                                  .pages = PagesPeople(scheme, triggered, incident),
                                  .incident = {}});
  }
  return escalated;
}

bool ApplyAction(const SeverityScheme& scheme, const OperatorAction& act, TimeUs tick,
                 IncidentRecord* record, Pages* pages) {
  Incident& incident = record->incident;
  const bool known = std::any_of(incident.timeline.begin(), incident.timeline.end(),
                                 [&](const TimelineEntry& entry) { return entry.id == act.id; });
  if (known || incident.state == IncidentState::kResolved) return false;
  const int triggered = record->triggered_level;
  const auto notification = [&](NotificationAction action) {
    return Notification{.action = action,
                        .level = triggered,
                        .after_trigger_of_level = 0,
                        .tick = tick,
                        .pages = PagesPeople(scheme, incident.severity_level, incident),
                        .incident = {}};
  };
  record->Note({.at = tick,
                .id = act.id,
                .author = act.author,
                .what = std::string(OperatorActionKindName(act.kind)),
                .text = act.text});
  if (act.kind == OperatorActionKind::kAcknowledge) {
    record->acknowledged_until = act.until;
    incident.acknowledged_by = act.author;
    if (incident.acknowledged_at == kNoTime) incident.acknowledged_at = tick;
    if (incident.state == IncidentState::kOpen) incident.state = IncidentState::kAcknowledged;
    if (triggered != 0)
      pages->acknowledges.push_back(notification(NotificationAction::kAcknowledge));
  } else if (act.kind == OperatorActionKind::kResolve) {
    record->resolved_by_person = true;
    incident.state = IncidentState::kResolved;
    incident.resolved_at = tick;
    if (triggered != 0) pages->resolves.push_back(notification(NotificationAction::kResolve));
    record->triggered_level = 0;
  }
  return true;
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
