#include "correlate/correlator.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "correlate/describe.h"
#include "correlate/lifecycle.h"
#include "correlate/membership.h"
#include "correlate/muting.h"
#include "correlate/record.h"
#include "correlate/scope.h"
#include "correlate/severity.h"
#include "correlate/suspects.h"

namespace tocsin {
namespace {

// The version number that format 5 had here.
constexpr std::uint64_t kVersionInFormat5 = 3;

// How much longer than the suspect window a deploy is remembered: the onset of a slow leak can be
// that long before the tick that reports it.
constexpr DurationUs kDeployMemory = kWeekUs;
// A call that was not seen for this long is forgotten.
constexpr DurationUs kCallMemory = kWeekUs;

// New and raised signals before cleared ones, so that signals that end in this tick still join
// those that begin; then by onset, so that the earliest opens the incident.
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

// Above this number of scopes, the incident numbers of forgotten scopes are dropped too.
constexpr std::size_t kNumberedScopesMax = 10'000;

}  // namespace

struct Correlator::State {
  explicit State(const Config& configuration)
      : config(configuration),
        scope_names(configuration.ScopeNames()),
        muting(configuration),
        members(configuration) {}

  Scope& ScopeOf(const std::string& key);

  void RecordContext(const CorrelatorInput& input, CorrelatorOutput* out);
  void ApplyChanges(const CorrelatorInput& input);
  void ApplyImpacts(const CorrelatorInput& input);
  void Decide(const CorrelatorInput& input, CorrelatorOutput* out);

  void Refresh(const Signal& signal, const std::string& title);
  void UpdateSuspects(Scope* scope, IncidentRecord* record);
  void UpdateImpact(TimeUs tick, const Scope& scope, IncidentRecord* record);
  void Advance(const CorrelatorInput& input, Scope* scope, IncidentRecord* record);
  Pages DecideRecord(const CorrelatorInput& input, const Inhibitors& inhibitors, Scope* scope,
                     IncidentRecord* record);
  // Fills in the incident and appends the notifications; resolves go to their own list, to be sent
  // last.
  static void Emit(Pages pages, const Incident& incident, std::vector<Notification>* notifications,
                   std::vector<Notification>* resolves);

  const Config& config;
  const std::vector<std::string> scope_names;
  std::map<std::string, Scope, std::less<>> scopes;
  Muting muting;
  LifeTimes times;
  Membership members;  // derived
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
  std::set<Scope*> calls_changed;
  for (const ScopedCall& seen : input.calls) {
    Scope& scope = ScopeOf(seen.scope);
    if (scope.calls.Add(seen.call, input.pane_end)) calls_changed.insert(&scope);
  }
  const TimeUs horizon = input.pane_end - config.correlate.deploy_window - kDeployMemory;
  const bool sweep = input.pane_end % kHourUs == 0;
  for (auto& [key, scope] : scopes) {
    if (scope.deploys.ForgetBefore(horizon)) scope.context_changed = true;
    if (sweep && scope.calls.ForgetBefore(input.pane_end - kCallMemory))
      calls_changed.insert(&scope);
  }
  for (Scope* const scope : calls_changed) {
    scope->topology = Topology(config.correlate.topology, scope->calls);
    scope->context_changed = true;
  }
  // Update the parts and deploys of existing members before new signals join them.
  for (auto& [key, scope] : scopes) {
    if (!scope.context_changed) continue;
    for (const auto& [sequence, record] : scope.incidents) scope.Index(record, config);
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
      members.Clear(std::move(signal), input.tick);
    } else if (titled->change.kind == SignalChangeKind::kContinued) {
      Refresh(signal, titled->title);
    } else {
      signal.cleared_at = kNoTime;
      Scope& scope = ScopeOf(signal.scope);
      members.Join(std::move(signal), titled->title, {.tick = input.tick, .now = input.pane_end},
                   &scope);
    }
  }
}

void Correlator::State::Refresh(const Signal& signal, const std::string& title) {
  IncidentRecord* const record = members.RecordOf(signal.id);
  if (record == nullptr || record->Find(signal.id) == nullptr) return;
  const bool changed = record->members_changed;
  record->Put(signal, title);
  record->members_changed = changed;
  record->refreshed = true;
}

void Correlator::State::ApplyImpacts(const CorrelatorInput& input) {
  for (const SignalImpact& impact : input.impacts) {
    IncidentRecord* const record = members.RecordOf(impact.signal);
    if (record == nullptr) continue;
    Signal* const signal = record->Find(impact.signal);
    if (signal != nullptr) {
      if (impact.breaching) signal->breached_at = input.tick;
      record->tally.Add(*signal, impact);
    } else {
      record->tally.AddUnlisted(impact);
    }
    record->impact_added = true;
  }
  // A cleared signal has had its last impact.
  for (const TitledChange& titled : input.changes) {
    if (titled.change.kind == SignalChangeKind::kCleared) members.Forget(titled.change.signal.id);
  }
}

void Correlator::State::UpdateSuspects(Scope* scope, IncidentRecord* record) {
  if (!record->members_changed && !scope->context_changed) return;
  scope->Index(*record, config);
  SuspectReport report = scope->Search(config).Report(record->incident.signals);
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

void Correlator::State::UpdateImpact(TimeUs tick, const Scope& scope, IncidentRecord* record) {
  Incident& incident = record->incident;
  std::optional<std::int64_t> total = config.severity.users_total;
  if (!total && scope.users > 0) {
    // The number of users falls when they give up; the share must not rise because of that.
    total = std::max(scope.users, incident.impact.users_total.value_or(0));
  }
  if (!total) total = incident.impact.users_total;
  if (!record->impact_added && total == incident.impact.users_total) return;
  if (record->impact_added) incident.impact = record->tally.Total();
  incident.impact.users_total = total;
  incident.partial = incident.partial || record->tally.capped();
  if (RaiseForUsers(config.severity, record->tally.UsersDown(), &incident)) {
    record->worsened_at = tick;
    record->line_due = true;
  }
}

void Correlator::State::Advance(const CorrelatorInput& input, Scope* scope,
                                IncidentRecord* record) {
  Incident& incident = record->incident;
  const bool was_resolved = incident.state == IncidentState::kResolved;
  if (was_resolved && record->firing.empty()) return;
  incident.partial = incident.partial || input.partial;
  UpdateImpact(input.tick, *scope, record);
  UpdateSuspects(scope, record);
  const LifecycleTime time{.tick = input.tick,
                           .now = input.pane_end,
                           .partial = input.partial,
                           .watch = WatchOf(config.correlate, *record)};
  if (AdvanceState(time, record)) record->line_due = true;
  if (incident.state == IncidentState::kResolved) {
    times.resolve.Add(incident.resolved_at - incident.detected_at);
  }
  if (RaiseAfterRollback(config.severity, input.pane_end, record)) {
    record->worsened_at = input.tick;
    record->line_due = true;
  }
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
  if (!record->line_due && !record->refreshed) return pages;
  if (!merged) Describe(config, record);  // a merged incident keeps the description it had
  // A signal that only continues does not postpone the next status update.
  if (record->line_due) {
    record->incident.next_update_at = NextUpdate(config.severity, input.pane_end, record->incident);
  }
  record->line_due = true;
  ++record->incident.revision;
  return pages;
}

void Correlator::State::Emit(Pages pages, const Incident& incident,
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
  // After the updates, so that roles notified for the first time get the trigger alone.
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
      Emit(DecideRecord(input, inhibitors, &scope, &current), current.incident, &out->notifications,
           &resolves);
      if (current.line_due) out->lines.push_back(current.incident);
      current.opened = current.members_changed = false;
      current.impact_added = current.refreshed = current.line_due = false;
      record = IsOver(current) ? members.Erase(&scope, record) : std::next(record);
    }
    scope.context_changed = false;
  }
  // The most severe first, and resolves last.
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

void Correlator::Apply(const OperatorAction& act, TimeUs tick, CorrelatorOutput* out) {
  out->lines.clear();
  out->notifications.clear();
  if (act.kind == OperatorActionKind::kSilence) {
    state_->muting.Add(act.silence);
    return;
  }
  if (act.kind == OperatorActionKind::kExpire) {
    state_->muting.Expire(act.text);
    return;
  }
  IncidentRecord* const record = state_->members.Find(act.incident);
  if (record == nullptr) return;
  Incident& incident = record->incident;
  const bool unacknowledged = incident.acknowledged_at == kNoTime;
  Pages pages;
  if (!ApplyAction(state_->config.severity, act, tick, record, &pages)) return;
  if (unacknowledged && incident.acknowledged_at != kNoTime) {
    state_->times.acknowledge.Add(incident.acknowledged_at - incident.detected_at);
  }
  ++incident.revision;
  out->lines.push_back(incident);
  std::vector<Notification> resolves;
  State::Emit(std::move(pages), incident, &out->notifications, &resolves);
  std::move(resolves.begin(), resolves.end(), std::back_inserter(out->notifications));
  if (!IsOver(*record)) return;
  state_->times.resolve.Add(incident.resolved_at - incident.detected_at);
  Scope& scope = state_->ScopeOf(incident.scope);
  state_->members.Erase(&scope, scope.incidents.find(record->sequence));
}

std::vector<const Incident*> Correlator::Open() const {
  std::vector<const Incident*> open;
  for (const auto& [key, scope] : state_->scopes) {
    for (const auto& [sequence, record] : scope.incidents) {
      // A resolved record is only kept in case it fires again; for operators it is over.
      if (record.incident.state != IncidentState::kResolved) open.push_back(&record.incident);
    }
  }
  return open;
}

std::vector<Silence> Correlator::Silences() const { return state_->muting.silences(); }

const LifeTimes& Correlator::times() const { return state_->times; }

bool Correlator::HasOpen(std::string_view scope) const {
  const auto found = state_->scopes.find(scope);
  return found != state_->scopes.end() && !found->second.incidents.empty();
}

void Correlator::Forget(std::string_view scope) {
  const auto found = state_->scopes.find(scope);
  if (found == state_->scopes.end() || !found->second.incidents.empty()) return;
  if (found->second.numbers.empty() || state_->scopes.size() > kNumberedScopesMax) {
    state_->scopes.erase(found);
    return;
  }
  // Keep the numbers: an incident number is never assigned twice.
  Scope bare;
  bare.labels = std::move(found->second.labels);
  bare.next_sequence = found->second.next_sequence;
  bare.numbers = std::move(found->second.numbers);
  bare.topology = Topology(state_->config.correlate.topology);
  found->second = std::move(bare);
}

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
    for (const auto& [sequence, record] : scope.incidents) scope.Index(record, fresh->config);
    fresh->members.Restore(&scope);
  }
  if (!in->ok()) fresh = std::make_unique<State>(state_->config);
  state_ = std::move(fresh);
}

}  // namespace tocsin
