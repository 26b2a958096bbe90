#include "correlate/membership.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/limits.h"
#include "correlate/belonging.h"
#include "correlate/coincidence.h"
#include "correlate/grouping.h"
#include "correlate/severity.h"

namespace tocsin {
namespace {

bool Contains(const std::vector<std::uint64_t>& sequences, std::uint64_t sequence) {
  return std::binary_search(sequences.begin(), sequences.end(), sequence);
}

void Insert(std::uint64_t sequence, std::vector<std::uint64_t>* sequences) {
  const auto place = std::lower_bound(sequences->begin(), sequences->end(), sequence);
  if (place == sequences->end() || *place != sequence) sequences->insert(place, sequence);
}

// "INC-2026-001, open since 2026-03-01T15:04:30Z and no worse for 7h".
std::string BesideText(const std::vector<std::uint64_t>& beside, TimeUs tick, const Scope& scope) {
  const IncidentRecord& oldest = scope.incidents.at(beside.front());
  std::string text = oldest.incident.number + ", open since " + FormatTime(oldest.incident.onset) +
                     " and no worse for " +
                     FormatDuration(FloorTo(tick - oldest.worsened_at, kMinuteUs));
  if (beside.size() > 1) text += "; and " + std::to_string(beside.size() - 1) + " more";
  return text;
}

}  // namespace

void Membership::Restore(Scope* scope) {
  for (auto& [sequence, record] : scope->incidents) {
    by_id_.insert(&record);
    for (const Hash128& signal : record.firing) {
      owners_[signal] = {.scope = scope, .sequence = sequence};
    }
  }
}

IncidentRecord* Membership::RecordOf(const Hash128& signal) {
  const auto owner = owners_.find(signal);
  if (owner == owners_.end()) return nullptr;
  return &owner->second.scope->incidents.at(owner->second.sequence);
}

IncidentRecord* Membership::Find(const Hash128& incident) {
  const auto found = by_id_.find(incident);
  return found == by_id_.end() ? nullptr : *found;
}

Membership::Incidents::iterator Membership::Erase(Scope* scope, Incidents::iterator record) {
  for (const Hash128& signal : record->second.firing) owners_.erase(signal);
  scope->Unindex(record->second);
  by_id_.erase(&record->second);
  return scope->incidents.erase(record);
}

Membership::Connections Membership::Connect(const Scope& scope, const Signal& signal,
                                            TimeUs now) const {
  Connections found;
  std::vector<std::uint64_t> explaining;
  const Token series = SeriesToken(signal);
  const BelongingContext context{.topology = scope.topology,
                                 .join_window = config_.correlate.join_window};
  for (const std::uint64_t sequence :
       scope.index.Find(WantedTokens(signal, scope.Search(config_)))) {
    const IncidentRecord& record = scope.incidents.at(sequence);
    switch (BelongingOf(record, signal, scope.index.Has(sequence, series), context)) {
      case Belonging::kMember:
        found.joined.push_back(sequence);
        break;
      case Belonging::kCause:
        explaining.push_back(sequence);
        break;
      case Belonging::kBeside:
        found.beside.push_back(sequence);
        break;
      case Belonging::kNone:
        break;
    }
  }
  if (found.joined.empty() && !explaining.empty()) found.joined = {explaining.front()};
  ConnectByOnset(scope, signal, now, &found);
  return found;
}

void Membership::ConnectByOnset(const Scope& scope, const Signal& signal, TimeUs now,
                                Connections* connections) const {
  const Coincidence coincidence{
      .topology = scope.topology, .now = now, .within = config_.correlate.coincidence};
  for (const std::uint64_t sequence : scope.onsets.Find(signal, coincidence)) {
    std::vector<std::uint64_t>& joined = connections->joined;
    if (Contains(joined, sequence)) continue;
    const IncidentRecord& record = scope.incidents.at(sequence);
    const bool not_notified =
        record.triggered_level == 0 && record.incident.state != IncidentState::kResolved;
    if (!joined.empty() && (!not_notified || sequence < joined.front())) continue;
    Insert(sequence, &joined);
    connections->coincident.push_back(sequence);
  }
}

IncidentRecord& Membership::Open(const Signal& signal, TimeUs tick,
                                 const std::vector<std::uint64_t>& beside, Scope* scope) {
  IncidentRecord record;
  record.sequence = scope->next_sequence++;
  record.opened = true;
  record.opened_tick = tick;
  Incident& incident = record.incident;
  incident.id = IncidentId(signal.scope, signal.id);
  if (signal.fired_at < tick) {
    // The signal opened an incident before, which an operator has resolved. This one needs another
    // id, because a receipt of the other incident's page is not one of this incident's page.
    incident.id = HashParts({incident.id.Hex(), FormatTime(tick)});
  }
  incident.scope = signal.scope;
  incident.scope_labels = scope->labels;
  incident.onset = signal.onset;
  incident.detected_at = tick;
  incident.severity_level = 5;  // below all levels, so the signal sets it
  for (const std::uint64_t sequence : beside) {
    if (incident.beside.size() == limits::kBesideMax) break;
    incident.beside.push_back(scope->incidents.at(sequence).incident.number);
  }
  if (!beside.empty()) {
    record.NoteOwn(tick, "opened beside", BesideText(beside, tick, *scope));
  }
  IncidentRecord& kept = scope->incidents.emplace(record.sequence, std::move(record)).first->second;
  by_id_.insert(&kept);
  return kept;
}

void Membership::Merge(std::uint64_t older, std::uint64_t younger, TimeUs tick, Scope* scope) {
  IncidentRecord& absorbing = scope->incidents.at(older);
  const auto place = scope->incidents.find(younger);
  IncidentRecord& absorbed = place->second;
  absorbing.Absorb(absorbed);
  for (const Hash128& signal : absorbed.firing) owners_[signal].sequence = older;
  scope->Unindex(absorbed);
  for (const Signal& signal : absorbed.incident.signals) {
    if (absorbing.Find(signal.id) != nullptr) scope->IndexMember(older, signal, config_);
  }
  absorbed.firing.clear();
  if (absorbed.opened) {  // opened in this tick: nobody has seen it
    Erase(scope, place);
    return;
  }
  absorbed.incident.state = IncidentState::kResolved;
  absorbed.incident.resolved_at = tick;
  absorbed.incident.merged_into = absorbing.incident.id.Hex();
  absorbed.line_due = true;
}

void Membership::NoteCoincidence(const Signal& signal, const IncidentRecord& with,
                                 const MembershipTime& time, const Scope& scope,
                                 IncidentRecord* record) const {
  const std::vector<TimelineEntry>& timeline = record->incident.timeline;
  const auto noted = static_cast<std::size_t>(
      std::count_if(timeline.begin(), timeline.end(), [](const TimelineEntry& entry) {
        return entry.id.empty() && entry.what == kJoinedTogether;
      }));
  if (noted >= limits::kCoincidencesToldMax) return;
  const DurationUs within = config_.correlate.coincidence;
  const Coincidence coincidence{.topology = scope.topology, .now = time.now, .within = within};
  const std::vector<Signal>& known = with.incident.signals;
  const auto found = std::find_if(known.begin(), known.end(), [&](const Signal& member) {
    return Coincide(signal, member, coincidence);
  });
  if (found == known.end()) return;
  record->NoteOwn(time.tick, kJoinedTogether, CoincidenceText(signal, *found, within));
}

void Membership::Join(Signal signal, const std::string& title, const MembershipTime& time,
                      Scope* scope) {
  const auto owner = owners_.find(signal.id);
  Connections connections;
  if (owner != owners_.end()) {
    connections.joined = {owner->second.sequence};
  } else {
    connections = Connect(*scope, signal, time.now);
  }
  std::vector<std::uint64_t>& joined = connections.joined;
  if (joined.empty() && scope->incidents.size() >= limits::kOpenIncidentsMax) {
    // Past the limit no incident opens, but no signal is dropped either: it joins the newest
    // incident.
    joined.push_back(scope->incidents.rbegin()->first);
    scope->incidents.rbegin()->second.incident.partial = true;
  }
  if (joined.empty()) {
    joined.push_back(Open(signal, time.tick, connections.beside, scope).sequence);
  }

  const std::uint64_t oldest = joined.front();
  IncidentRecord& record = scope->incidents.at(oldest);
  for (const std::uint64_t sequence : connections.coincident) {
    NoteCoincidence(signal, scope->incidents.at(sequence), time, *scope, &record);
  }
  for (std::size_t i = 1; i < joined.size(); ++i) Merge(oldest, joined[i], time.tick, scope);
  const bool known = scope->index.Has(oldest, SeriesToken(signal));
  record.Put(signal, title);
  const bool listed = record.Find(signal.id) != nullptr;
  record.quiet_since = kNoTime;
  record.incident.onset = std::min(record.incident.onset, signal.onset);
  const bool raised = RaiseForSignal(signal, &record.incident);
  const bool raised_more = RaiseForCategory(config_.severity, signal, &record.incident);
  if ((listed && !known) || raised || raised_more) record.worsened_at = time.tick;
  if (listed) scope->IndexMember(oldest, signal, config_);
  owners_[signal.id] = {.scope = scope, .sequence = oldest};
}

void Membership::Clear(Signal signal, TimeUs tick) {
  IncidentRecord* const record = RecordOf(signal.id);
  if (record == nullptr) return;
  if (signal.cleared_at == kNoTime) signal.cleared_at = tick;
  if (record->Find(signal.id) != nullptr) {
    record->Put(signal, "");
  } else {
    record->firing.erase(signal.id);
  }
}

}  // namespace tocsin
