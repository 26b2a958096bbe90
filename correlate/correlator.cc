#include "correlate/correlator.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "core/limits.h"
#include "correlate/describe.h"
#include "correlate/grouping.h"
#include "correlate/lifecycle.h"
#include "correlate/muting.h"
#include "correlate/record.h"
#include "correlate/scope.h"
#include "correlate/severity.h"
#include "correlate/suspects.h"

namespace tocsin {
namespace {

// Format 5 had a version of its own here.
constexpr std::uint64_t kVersionInFormat5 = 3;

// How much longer than the suspect window a deploy is remembered: a slow leak's onset lies that far
// before the tick that reports it.
constexpr DurationUs kDeployMemory = kWeekUs;
// A call that was not seen for so long is made no more.
constexpr DurationUs kCallMemory = kWeekUs;

struct Owner {
  Scope* scope = nullptr;  // lives in a node of the map of scopes
  std::uint64_t sequence = 0;
};

// New and raised signals before cleared ones, so that what ends now still joins what begins now;
// then by onset, so that the earliest opens the incident.
bool ChangeBefore(const TitledChange* a, const TitledChange* b) {
  const bool a_clears = a->change.kind == SignalChangeKind::kCleared;
  const bool b_clears = b->change.kind == SignalChangeKind::kCleared;
  const Signal& left = a->change.signal;
  const Signal& right = b->change.signal;
  if (a_clears != b_clears) return b_clears;
  if (left.onset != right.onset) return left.onset < right.onset;
  if (SignalBefore(left, right) || SignalBefore(right, left)) return SignalBefore(left, right);
  return a->change.kind < b->change.kind;
}

}  // namespace

struct Correlator::State {
  explicit State(const Config& configuration)
      : config(configuration), scope_names(configuration.ScopeNames()), muting(configuration) {}

  Scope& ScopeOf(const std::string& key);
  SuspectSearch Search(const Scope& scope) const {
    return {.topology = scope.topology,
            .deploys = scope.deploys,
            .external = config.correlate.external,
            .window = config.correlate.deploy_window,
            .pane = config.pane};
  }

  void RecordContext(const CorrelatorInput& input, CorrelatorOutput* out);
  void ApplyChanges(const CorrelatorInput& input);
  void ApplyImpacts(const CorrelatorInput& input);
  void Decide(const CorrelatorInput& input, CorrelatorOutput* out);

  void Join(Signal signal, const std::string& title, TimeUs tick);
  void Clear(Signal signal, TimeUs tick);
  std::vector<std::uint64_t> Connected(const Scope& scope, const Signal& signal) const;
  IncidentRecord& OpenIncident(const Signal& signal, TimeUs tick, Scope* scope);
  void Merge(std::uint64_t older, std::uint64_t younger, TimeUs tick, Scope* scope);
  void UpdateSuspects(Scope* scope, IncidentRecord* record);
  void UpdateImpact(const Scope& scope, IncidentRecord* record);
  void Advance(const CorrelatorInput& input, Scope* scope, IncidentRecord* record);
  Pages DecideRecord(const CorrelatorInput& input, const Inhibitors& inhibitors, Scope* scope,
                     IncidentRecord* record);
  // Fills in the notifications and hands them over, except the resolves, which wait.
  static void Tell(Pages pages, const Incident& incident, std::vector<Notification>* notifications,
                   std::vector<Notification>* resolves);

  const Config& config;
  const std::vector<std::string> scope_names;
  std::map<std::string, Scope, std::less<>> scopes;
  Muting muting;
  LifeTimes times;
  // Every firing signal's incident; derived.
  absl::flat_hash_map<Hash128, Owner> owners;
};

Scope& Correlator::State::ScopeOf(const std::string& key) {
  const auto [found, inserted] = scopes.try_emplace(key);
  if (inserted) {
    found->second.labels = LabelsFromKey(scope_names, key);
    found->second.topology = Topology(config.correlate.topology);
  }
  return found->second;
}

void Correlator::State::RecordContext(const CorrelatorInput& input, CorrelatorOutput* out) {
  for (const auto& [scope, fact] : input.facts) {
    if (fact.type != EventType::kDeploy) continue;
    Scope& state = ScopeOf(scope);
    const Deploy deploy = DeployOf(fact);
    if (!state.deploys.Add(deploy)) continue;
    state.context_changed = true;
    out->notifications.push_back(ChangeOf(deploy, scope, state.labels, input.tick));
  }
  for (const ScopeUsers& users : input.users) {
    ScopeOf(users.scope).users = static_cast<std::int64_t>(users.distinct + 0.5);
  }
  std::set<Scope*> recalled;  // whose calls changed
  for (const ScopedCall& seen : input.calls) {
    Scope& scope = ScopeOf(seen.scope);
    if (scope.calls.Add(seen.call, input.pane_end)) recalled.insert(&scope);
  }
  const TimeUs horizon = input.pane_end - config.correlate.deploy_window - kDeployMemory;
  const bool sweep = input.pane_end % kHourUs == 0;
  for (auto& [key, scope] : scopes) {
    if (scope.deploys.ForgetBefore(horizon)) scope.context_changed = true;
    if (sweep && scope.calls.ForgetBefore(input.pane_end - kCallMemory)) recalled.insert(&scope);
  }
  for (Scope* const scope : recalled) {
    scope->topology = Topology(config.correlate.topology, scope->calls);
    scope->context_changed = true;
  }
}

void Correlator::State::ApplyChanges(const CorrelatorInput& input) {
  std::vector<const TitledChange*> changes;
  changes.reserve(input.changes.size());
  for (const TitledChange& change : input.changes) changes.push_back(&change);
  std::stable_sort(changes.begin(), changes.end(), ChangeBefore);
  for (const TitledChange* titled : changes) {
    Signal signal = titled->change.signal;
    signal.level = std::clamp(signal.level, 1, 4);
    if (signal.fired_at == kNoTime) signal.fired_at = input.tick;
    if (signal.onset == kNoTime) signal.onset = input.pane_end;
    if (titled->change.kind == SignalChangeKind::kCleared) {
      Clear(std::move(signal), input.tick);
    } else {
      signal.cleared_at = kNoTime;
      Join(std::move(signal), titled->title, input.tick);
    }
  }
}

std::vector<std::uint64_t> Correlator::State::Connected(const Scope& scope,
                                                        const Signal& signal) const {
  std::vector<std::uint64_t> connected;
  const Token series = SeriesToken(signal);
  for (const std::uint64_t sequence : scope.index.Find(WantedTokens(signal, Search(scope)))) {
    const IncidentRecord& record = scope.incidents.at(sequence);
    if (JoinsInTime(record, signal, config.correlate.join_window) ||
        scope.index.Has(sequence, series)) {
      connected.push_back(sequence);
    }
  }
  return connected;
}

IncidentRecord& Correlator::State::OpenIncident(const Signal& signal, TimeUs tick, Scope* scope) {
  IncidentRecord record;
  record.sequence = scope->next_sequence++;
  record.opened = true;
  record.opened_tick = tick;
  record.incident.id = IncidentId(signal.scope, signal.id);
  if (signal.fired_at < tick) {
    // It opened an incident before, which a person has resolved: this is another one, and a receipt
    // for that one's page is none for this one's.
    record.incident.id = HashParts({record.incident.id.Hex(), FormatTime(tick)});
  }
  record.incident.scope = signal.scope;
  record.incident.scope_labels = scope->labels;
  record.incident.onset = signal.onset;
  record.incident.detected_at = tick;
  record.incident.severity_level = 5;  // below all levels: the signal decides
  return scope->incidents.emplace(record.sequence, std::move(record)).first->second;
}

void Correlator::State::Merge(std::uint64_t older, std::uint64_t younger, TimeUs tick,
                              Scope* scope) {
  IncidentRecord& absorbing = scope->incidents.at(older);
  IncidentRecord& absorbed = scope->incidents.at(younger);
  absorbing.Absorb(absorbed);
  for (const Hash128& signal : absorbed.firing) owners[signal].sequence = older;
  for (const Signal& signal : absorbed.incident.signals) {
    scope->index.Put(older, TokensOf(signal, Search(*scope)));
  }
  scope->index.Remove(younger);
  if (absorbed.opened) {  // nobody has seen it
    scope->incidents.erase(younger);
    return;
  }
  absorbed.incident.state = IncidentState::kResolved;
  absorbed.incident.resolved_at = tick;
  absorbed.incident.merged_into = absorbing.incident.id.Hex();
  absorbed.line_due = true;
}

void Correlator::State::Join(Signal signal, const std::string& title, TimeUs tick) {
  Scope& scope = ScopeOf(signal.scope);
  std::vector<std::uint64_t> connected = Connected(scope, signal);
  const auto owner = owners.find(signal.id);
  if (owner != owners.end() &&
      std::find(connected.begin(), connected.end(), owner->second.sequence) == connected.end()) {
    connected.insert(std::upper_bound(connected.begin(), connected.end(), owner->second.sequence),
                     owner->second.sequence);
  }
  if (connected.empty() && scope.incidents.size() >= limits::kOpenIncidentsMax) {
    // Past the limit nothing opens, but nothing is dropped either: the newest takes it in.
    connected.push_back(scope.incidents.rbegin()->first);
    scope.incidents.rbegin()->second.incident.partial = true;
  }
  if (connected.empty()) connected.push_back(OpenIncident(signal, tick, &scope).sequence);

  const std::uint64_t oldest = connected.front();
  IncidentRecord& record = scope.incidents.at(oldest);
  for (std::size_t i = 1; i < connected.size(); ++i) Merge(oldest, connected[i], tick, &scope);
  record.Put(signal, title);
  record.quiet_since = kNoTime;
  record.incident.onset = std::min(record.incident.onset, signal.onset);
  RaiseForSignal(signal, &record.incident);
  RaiseForCategory(config.severity, signal, &record.incident);
  if (record.Find(signal.id) != nullptr) {
    scope.index.Put(oldest, TokensOf(signal, Search(scope)));
  }
  owners[signal.id] = {.scope = &scope, .sequence = oldest};
}

void Correlator::State::Clear(Signal signal, TimeUs tick) {
  const auto owner = owners.find(signal.id);
  if (owner == owners.end()) return;
  if (signal.cleared_at == kNoTime) signal.cleared_at = tick;
  IncidentRecord& record = owner->second.scope->incidents.at(owner->second.sequence);
  if (record.Find(signal.id) != nullptr) {
    record.Put(signal, "");
  } else {
    record.firing.erase(signal.id);
  }
}

void Correlator::State::ApplyImpacts(const CorrelatorInput& input) {
  for (const SignalImpact& impact : input.impacts) {
    const auto owner = owners.find(impact.signal);
    if (owner == owners.end()) continue;
    IncidentRecord& record = owner->second.scope->incidents.at(owner->second.sequence);
    const Signal* signal = record.Find(impact.signal);
    if (signal != nullptr) {
      record.tally.Add(*signal, impact);
    } else {
      record.tally.AddUnlisted(impact);
    }
    record.impact_added = true;
  }
  // What cleared has had its last impact.
  for (const TitledChange& titled : input.changes) {
    if (titled.change.kind == SignalChangeKind::kCleared) owners.erase(titled.change.signal.id);
  }
}

void Correlator::State::UpdateSuspects(Scope* scope, IncidentRecord* record) {
  if (!record->members_changed && !scope->context_changed) return;
  const SuspectSearch search = Search(*scope);
  scope->Index(*record, search);
  SuspectReport report = search.Report(record->incident.signals);
  record->rolled_back_at = report.rolled_back_at;
  record->roll_back = std::move(report.roll_back);
  if (record->incident.component == report.component &&
      record->incident.suspects == report.suspects) {
    return;
  }
  record->incident.component = std::move(report.component);
  record->incident.suspects = std::move(report.suspects);
  record->line_due = true;
}

void Correlator::State::UpdateImpact(const Scope& scope, IncidentRecord* record) {
  Incident& incident = record->incident;
  std::optional<std::int64_t> total = config.severity.users_total;
  if (!total && scope.users > 0) {
    // The number of users falls when they give up; the share must not.
    total = std::max(scope.users, incident.impact.users_total.value_or(0));
  }
  if (!total) total = incident.impact.users_total;
  if (!record->impact_added && total == incident.impact.users_total) return;
  if (record->impact_added) incident.impact = record->tally.Total();
  incident.impact.users_total = total;
  incident.partial = incident.partial || record->tally.capped();
  if (RaiseForUsers(config.severity, record->tally.UsersDown(), &incident)) {
    record->line_due = true;
  }
}

void Correlator::State::Advance(const CorrelatorInput& input, Scope* scope,
                                IncidentRecord* record) {
  Incident& incident = record->incident;
  const bool was_resolved = incident.state == IncidentState::kResolved;
  if (was_resolved && record->firing.empty()) return;
  incident.partial = incident.partial || input.partial;
  UpdateImpact(*scope, record);
  UpdateSuspects(scope, record);
  const LifecycleTime time{.tick = input.tick,
                           .now = input.pane_end,
                           .partial = input.partial,
                           .watch = WatchOf(config.correlate, *record)};
  if (AdvanceState(time, record)) record->line_due = true;
  if (incident.state == IncidentState::kResolved) {
    times.resolve.Add(incident.resolved_at - incident.detected_at);
  }
  if (RaiseAfterRollback(config.severity, input.pane_end, record)) record->line_due = true;
  if (record->opened) {
    const int year = UtcYear(incident.onset);
    incident.number = IncidentNumber(year, ++scope->numbers[year]);
    times.detect.Add(incident.detected_at - incident.onset);
  }
  if (record->opened || record->members_changed) record->line_due = true;
}

Pages Correlator::State::DecideRecord(const CorrelatorInput& input, const Inhibitors& inhibitors,
                                      Scope* scope, IncidentRecord* record) {
  const bool merged = !record->incident.merged_into.empty();
  if (!merged) Advance(input, scope, record);
  if (!merged && !(muting.idle() && record->incident.muted_by.empty())) {
    std::string muted_by = muting.MutedBy(*record, inhibitors, input.tick);
    if (muted_by != record->incident.muted_by) record->line_due = true;
    record->incident.muted_by = std::move(muted_by);
  }
  const bool paged = record->incident.pages > 0;
  Pages pages = DecidePages(config, input.tick, record);
  if (!paged && record->incident.pages > 0) times.page.Add(input.tick - record->incident.onset);
  if (!pages.triggers.empty()) record->line_due = true;
  if (!merged && !record->line_due) {
    const LifecycleTime time{
        .tick = input.tick, .now = input.pane_end, .partial = input.partial, .watch = 0};
    if (Remind(config.severity, time, record, &pages)) record->line_due = true;
  }
  if (!record->line_due) return pages;
  if (!merged) Describe(config, record);  // what was merged stays as people knew it
  record->incident.next_update_at = NextUpdate(config.severity, input.pane_end, record->incident);
  ++record->incident.revision;
  return pages;
}

void Correlator::State::Tell(Pages pages, const Incident& incident,
                             std::vector<Notification>* notifications,
                             std::vector<Notification>* resolves) {
  const auto move_to = [&](std::vector<Notification>* from, std::vector<Notification>* to) {
    for (Notification& notification : *from) {
      notification.incident = incident;
      to->push_back(std::move(notification));
    }
  };
  move_to(&pages.triggers, notifications);
  move_to(&pages.acknowledges, notifications);
  move_to(&pages.updates, notifications);
  // Behind the updates: who hears of it for the first time gets the trigger alone.
  move_to(&pages.escalations, notifications);
  move_to(&pages.resolves, resolves);
}

void Correlator::State::Decide(const CorrelatorInput& input, CorrelatorOutput* out) {
  std::vector<Notification> resolves;
  muting.ForgetOver(input.tick);
  for (auto& [key, scope] : scopes) {
    const Inhibitors inhibitors = muting.FindInhibitors(scope.incidents);
    for (auto record = scope.incidents.begin(); record != scope.incidents.end();) {
      IncidentRecord& current = record->second;
      Tell(DecideRecord(input, inhibitors, &scope, &current), current.incident, &out->notifications,
           &resolves);
      if (current.line_due) out->lines.push_back(current.incident);
      current.opened = current.members_changed = false;
      current.impact_added = current.line_due = false;
      if (IsOver(current)) {
        scope.index.Remove(record->first);
        record = scope.incidents.erase(record);
      } else {
        ++record;
      }
    }
    scope.context_changed = false;
  }
  // The worst news first, and all of it before what is over.
  std::stable_sort(out->notifications.begin(), out->notifications.end(),
                   [](const Notification& a, const Notification& b) { return a.level < b.level; });
  std::move(resolves.begin(), resolves.end(), std::back_inserter(out->notifications));
}

Correlator::Correlator(const Config& config) : state_(std::make_unique<State>(config)) {}
Correlator::~Correlator() = default;
Correlator::Correlator(Correlator&&) noexcept = default;

void Correlator::Tick(const CorrelatorInput& input, CorrelatorOutput* out) {
  out->lines.clear();
  out->notifications.clear();
  state_->RecordContext(input, out);
  state_->ApplyChanges(input);
  state_->ApplyImpacts(input);
  state_->Decide(input, out);
}

void Correlator::Apply(const Act& act, TimeUs tick, CorrelatorOutput* out) {
  out->lines.clear();
  out->notifications.clear();
  if (act.kind == ActKind::kSilence) {
    state_->muting.Add(act.silence);
    return;
  }
  if (act.kind == ActKind::kExpire) {
    state_->muting.Expire(act.text);
    return;
  }
  for (auto& [key, scope] : state_->scopes) {
    for (auto& [sequence, record] : scope.incidents) {
      if (record.incident.id != act.incident) continue;
      const bool unacknowledged = record.incident.acknowledged_at == kNoTime;
      Pages pages;
      if (!ApplyAct(state_->config.severity, act, tick, &record, &pages)) return;
      if (unacknowledged && record.incident.acknowledged_at != kNoTime) {
        state_->times.acknowledge.Add(record.incident.acknowledged_at -
                                      record.incident.detected_at);
      }
      ++record.incident.revision;
      out->lines.push_back(record.incident);
      std::vector<Notification> resolves;
      State::Tell(std::move(pages), record.incident, &out->notifications, &resolves);
      std::move(resolves.begin(), resolves.end(), std::back_inserter(out->notifications));
      if (!IsOver(record)) return;
      state_->times.resolve.Add(record.incident.resolved_at - record.incident.detected_at);
      for (const Hash128& signal : record.firing) state_->owners.erase(signal);
      scope.index.Remove(sequence);
      scope.incidents.erase(sequence);
      return;
    }
  }
}

std::vector<const Incident*> Correlator::Open() const {
  std::vector<const Incident*> open;
  for (const auto& [key, scope] : state_->scopes) {
    for (const auto& [sequence, record] : scope.incidents) {
      // One that only waits whether it fires again is over for people.
      if (record.incident.state != IncidentState::kResolved) open.push_back(&record.incident);
    }
  }
  return open;
}

std::vector<Silence> Correlator::Silences() const { return state_->muting.silences(); }

const LifeTimes& Correlator::times() const { return state_->times; }

std::span<const Deploy> Correlator::Deploys(std::string_view scope, TimeUs from, TimeUs to) const {
  const auto found = state_->scopes.find(scope);
  if (found == state_->scopes.end()) return {};
  return found->second.deploys.Between(from, to);
}

void Correlator::Encode(ByteWriter* out) const {
  state_->muting.Encode(out);
  for (const LifeTimes::Sum* sum : {&state_->times.detect, &state_->times.acknowledge,
                                    &state_->times.resolve, &state_->times.page}) {
    out->Signed(sum->count);
    out->Signed(sum->total);
  }
  out->Varint(state_->scopes.size());
  for (const auto& [key, scope] : state_->scopes) {
    out->Bytes(key);
    scope.Encode(out);
  }
}

void Correlator::Decode(ByteReader* in) {
  auto fresh = std::make_unique<State>(state_->config);
  if (in->format() == 5 && in->Varint() != kVersionInFormat5) in->Fail();
  fresh->muting.Decode(in);
  for (LifeTimes::Sum* sum : {&fresh->times.detect, &fresh->times.acknowledge,
                              &fresh->times.resolve, &fresh->times.page}) {
    if (sum == &fresh->times.page && in->format() < 6) break;
    sum->count = in->Signed();
    sum->total = in->Signed();
  }
  const std::size_t size = in->Count(6);
  for (std::size_t i = 0; i < size && in->ok(); ++i) {
    Scope& scope = fresh->ScopeOf(std::string(in->Bytes()));
    scope.Decode(in);
    scope.topology = Topology(fresh->config.correlate.topology, scope.calls);
    for (const auto& [sequence, record] : scope.incidents) {
      scope.Index(record, fresh->Search(scope));
      for (const Hash128& signal : record.firing) {
        fresh->owners[signal] = {.scope = &scope, .sequence = sequence};
      }
    }
  }
  if (!in->ok()) fresh = std::make_unique<State>(state_->config);
  state_ = std::move(fresh);
}

}  // namespace tocsin
