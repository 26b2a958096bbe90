#include "sinks/message.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/incident_text.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// A message is read on a phone, so a list shows its first few items; the card and the incident line
// have the rest.
constexpr std::size_t kItemsMax = 5;

using Texts = MessageFields::Texts;

std::string Between(TimeUs from, TimeUs to) {
  return from == kNoTime || to == kNoTime ? "" : RoughDuration(to - from);
}

// Public messages give times to the minute.
std::string MinuteText(TimeUs time) {
  if (time == kNoTime) return "";
  return absl::StrCat(DateAndClockText(time).substr(0, 16), " UTC");
}

std::string TimeOrNothing(TimeUs time) { return time == kNoTime ? "" : DateAndClockText(time); }

// The symptom for public messages. They do not mention attacks, since an attacker can read them.
std::string_view PublicSymptom(const Incident& incident) {
  switch (incident.category) {
    case Category::kAvailability:
      return "errors";
    case Category::kPerformance:
    case Category::kCapacity:
      return "slow or failing responses";
    case Category::kSecurity:
    case Category::kData:
      return "a problem";
  }
  return "a problem";
}

std::string_view PublicUsers(const Impact& impact) {
  const std::int64_t total = impact.users_total.value_or(0);
  // Zero does not mean that nobody is affected: some users may not be counted.
  if (impact.users_affected.value_or(0) <= 0 || total <= 0) return "Some users";
  const double share = static_cast<double>(*impact.users_affected) / static_cast<double>(total);
  if (share >= 0.5) return "Most users";
  return share >= 0.05 ? "Some users" : "A small number of users";
}

std::string PublicComponent(const Incident& incident,
                            const std::map<std::string, std::string>& public_names) {
  const auto named = [&](std::string_view component) {
    const auto found = public_names.find(std::string(component));
    return found == public_names.end() ? "" : Safe(found->second);
  };
  std::string name = named(incident.component);
  for (const Signal& signal : incident.signals) {
    if (name.empty()) name = named(LabelValue(signal.series, "service"));
  }
  return name.empty() ? "our service" : name;
}

std::string SuspectLine(const Suspect& suspect) {
  std::string text = absl::StrCat(Safe(suspect.kind), " ", Safe(suspect.name));
  if (suspect.at != kNoTime) absl::StrAppend(&text, " at ", ClockText(suspect.at));
  if (!suspect.reason.empty()) absl::StrAppend(&text, ": ", Safe(suspect.reason));
  return text;
}

// Firing signals before cleared ones, the most severe first.
std::vector<Texts> SignalItems(const Incident& incident) {
  std::vector<const Signal*> signals;
  for (const Signal& signal : incident.signals) signals.push_back(&signal);
  std::stable_sort(signals.begin(), signals.end(), [](const Signal* a, const Signal* b) {
    if (a->firing() != b->firing()) return a->firing();
    return a->level != b->level ? a->level < b->level : a->onset < b->onset;
  });
  std::vector<Texts> items;
  for (const Signal* signal : signals) {
    if (items.size() == kItemsMax) break;
    items.push_back({{"detector", Safe(signal->detector)},
                     {"series", OwnLabelsText(incident, *signal)},
                     {"value", ValueText(*signal, signal->value)},
                     {"threshold", ValueText(*signal, signal->threshold)},
                     {"since", TimeOrNothing(signal->onset)},
                     {"cleared_at", TimeOrNothing(signal->cleared_at)}});
  }
  return items;
}

void AddLists(const Incident& incident, MessageFields* fields) {
  fields->lists["signals"] = SignalItems(incident);
  std::vector<Texts>& suspects = fields->lists["suspects"];
  for (const Suspect& suspect : incident.suspects) {
    if (suspects.size() == kItemsMax) break;
    suspects.push_back({{"kind", Safe(suspect.kind)},
                        {"name", Safe(suspect.name)},
                        {"at", TimeOrNothing(suspect.at)},
                        {"reason", Safe(suspect.reason)},
                        {"text", SuspectLine(suspect)}});
  }
  std::vector<Texts>& advice = fields->lists["advice"];
  for (const std::string& step : incident.advice) {
    if (advice.size() == kItemsMax) break;
    advice.push_back({{"index", absl::StrCat(advice.size() + 1)}, {"text", Safe(step)}});
  }
  std::vector<Texts>& together = fields->lists["together"];
  for (const TimelineEntry& entry : incident.timeline) {
    if (together.size() == kItemsMax) break;
    if (entry.what == kJoinedTogether) together.push_back({{"text", Safe(entry.text)}});
  }
  std::vector<Texts>& timeline = fields->lists["timeline"];
  const std::size_t first =
      incident.timeline.size() > kItemsMax ? incident.timeline.size() - kItemsMax : 0;
  for (std::size_t i = first; i < incident.timeline.size(); ++i) {
    const TimelineEntry& entry = incident.timeline[i];
    timeline.push_back({{"at", ClockText(entry.at)},
                        {"author", Safe(entry.author)},
                        {"what", Safe(entry.what)},
                        {"text", Safe(entry.text)}});
  }
}

std::string RespondText(const Incident& incident) {
  return incident.respond_within_s
             ? "within " + RoughDuration(*incident.respond_within_s * kSecondUs)
             : "on the next business day";
}

std::string Joined(const std::vector<std::string>& texts) {
  std::vector<std::string> safe;
  for (const std::string& text : texts) safe.push_back(Safe(text));
  return absl::StrJoin(safe, ", ");
}

}  // namespace

std::string_view MessageAudienceName(MessageAudience audience) {
  constexpr std::string_view kNames[] = {"internal", "public", "email"};
  return kNames[static_cast<std::size_t>(audience)];
}

std::string_view MessageStageName(MessageStage stage) {
  constexpr std::string_view kNames[] = {"declared", "update", "identified", "monitoring",
                                         "resolved"};
  return kNames[static_cast<std::size_t>(stage)];
}

MessageStage StageOf(const Incident& incident) {
  if (incident.state == IncidentState::kResolved) return MessageStage::kResolved;
  if (incident.state == IncidentState::kMonitoring) return MessageStage::kMonitoring;
  if (incident.revision <= 1) return MessageStage::kDeclared;
  return incident.suspects.empty() ? MessageStage::kUpdate : MessageStage::kIdentified;
}

std::optional<MessageStage> StageToTell(const Delivery& delivery, const Incident& incident) {
  if (delivery.action == NotificationAction::kTrigger) return MessageStage::kDeclared;
  const bool over = incident.state == IncidentState::kResolved;
  if (delivery.action == NotificationAction::kResolve && !over) return std::nullopt;
  const MessageStage stage = StageOf(incident);
  return stage == MessageStage::kDeclared ? MessageStage::kUpdate : stage;
}

MessageFields MessageFieldsOf(const Incident& incident,
                              const std::map<std::string, std::string>& public_names) {
  MessageFields fields;
  const Impact& impact = incident.impact;
  const bool failed = impact.failed > 0;
  fields.texts = {
      {"number", Safe(incident.number)},
      {"id", incident.id.Hex()},
      {"state", std::string(IncidentStateName(incident.state))},
      {"severity", Safe(incident.severity)},
      {"severity_rule", Safe(incident.severity_rule)},
      {"level", absl::StrCat(incident.severity_level)},
      {"category", std::string(CategoryName(incident.category))},
      {"title", OneLine(incident.title, 1024)},
      {"where", WhereText(incident)},
      {"component", Safe(incident.component)},
      {"classification", Safe(incident.classification)},
      {"onset", TimeOrNothing(incident.onset)},
      {"onset_ms", incident.onset == kNoTime ? "" : absl::StrCat(incident.onset / kMillisecondUs)},
      {"detected_at", TimeOrNothing(incident.detected_at)},
      {"paged_at", TimeOrNothing(incident.paged_at())},
      {"acknowledged_at", TimeOrNothing(incident.acknowledged_at)},
      {"acknowledged_by", Safe(incident.acknowledged_by)},
      {"resolved_at", TimeOrNothing(incident.resolved_at)},
      {"time_to_detect", Between(incident.onset, incident.detected_at)},
      {"time_to_page", Between(incident.onset, incident.paged_at())},
      {"time_to_acknowledge", Between(incident.detected_at, incident.acknowledged_at)},
      {"duration", Between(incident.onset, incident.resolved_at)},
      {"users", UsersText(impact)},
      {"failed", failed ? FailedText(impact) : ""},
      {"respond", RespondText(incident)},
      {"next_update", TimeOrNothing(incident.next_update_at)},
      {"escalate_to", Joined(incident.escalate_to)},
      {"runbook", Safe(incident.runbook)},
      {"muted_by", Safe(incident.muted_by)},
      {"merged_into", Safe(incident.merged_into)},
      {"beside", Joined(incident.beside)},
      {"partial", incident.partial ? "yes" : ""},
      {"suspect", incident.suspects.empty() ? "" : SuspectLine(incident.suspects[0])},
      {"first_step", incident.advice.empty() ? "" : Safe(incident.advice[0])},
      {"public_component", PublicComponent(incident, public_names)},
      {"public_onset", MinuteText(incident.onset)},
      {"public_resolved_at", MinuteText(incident.resolved_at)},
      {"public_next_update", MinuteText(incident.next_update_at)},
      {"public_symptom", std::string(PublicSymptom(incident))},
      {"public_users", std::string(PublicUsers(impact))}};
  AddLists(incident, &fields);
  return fields;
}

}  // namespace tocsin
