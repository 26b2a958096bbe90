#include "engine/decider.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/bounded_line.h"
#include "core/labels.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "engine/seen_calls.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

// A fact that is delivered again within this time (sources are at-least-once) is the same fact.
constexpr DurationUs kFactMemory = kHourUs;
// Limit while relearning from the log: sources keep within limits::kTicksAheadMax of each other.
constexpr std::size_t kRelearnTicksAheadMax = 4 * limits::kTicksAheadMax;
// The first state formats in which detectors may read a second aggregation, and in which scopes are
// limited.
constexpr int kFormatOfExplaining = 6, kFormatOfScopes = 6;

SeriesSpec SpecOf(const Detector& detector, int format) {
  SeriesSpec spec = format == kStateFormat ? detector.Spec() : detector.SpecOfFormat(format);
  const std::vector<Measure> impact = ImpactMeasures();
  spec.measures.insert(spec.measures.end(), impact.begin(), impact.end());
  return spec;
}

// Canonical form of a stanza, so that state is kept exactly when nothing in the stanza changed.
void AppendStanza(const ConfigNode& node, std::string* text) {
  *text += static_cast<char>('0' + static_cast<int>(node.kind));
  *text += node.scalar + '\n';
  for (const auto& [key, value] : node.map) {
    *text += key + '=';
    AppendStanza(value, text);
  }
  for (const ConfigNode& item : node.list) AppendStanza(item, text);
}

// Everything besides its stanza that a detector's state and series keys depend on. Fingerprints of
// existing snapshots begin with it, so its format must not change.
std::string AggregationText(const Plan& plan, std::size_t index) {
  const Aggregation& aggregation = plan.aggregations()[index];
  std::string text = std::to_string(plan.pane()) + ' ' + std::to_string(aggregation.delay) + ' ' +
                     std::to_string(plan.scope_fields());
  for (const std::string& name : aggregation.by_names) text += ' ' + name;
  return text + '\n';
}

// Identifies the series of a detector: if it is unchanged, they are still the same series.
std::string MeasuredText(const Plan& plan, std::size_t index) {
  const Aggregation& aggregation = plan.aggregations()[index];
  std::string text = AggregationText(plan, index) + aggregation.where.ToString();
  for (const std::string& input : aggregation.inputs) absl::StrAppend(&text, "\n", input);
  return text;
}

const PaneTable* TableOf(const AssembledTick& tick, std::size_t aggregation) {
  const std::optional<PaneTable>& table = tick.tables[aggregation];
  return table ? &*table : nullptr;
}

}  // namespace

Plan CompilePlan(const Config& config, const std::vector<std::unique_ptr<Detector>>& detectors,
                 int format) {
  PlanOptions options;
  options.scope = config.scope;
  options.pane = config.pane;
  for (const InputConfig& input : config.inputs) {
    options.inputs.push_back({input.name, DelayOf(input, config.pane)});
  }
  std::vector<SeriesSpec> specs;
  for (const std::unique_ptr<Detector>& detector : detectors) {
    specs.push_back(SpecOf(*detector, format));
  }
  // These follow the detectors' own specs, whose index is the detector's number.
  for (const std::unique_ptr<Detector>& detector : detectors) {
    std::optional<SeriesSpec> spec = detector->Explaining();
    if (spec && format >= kFormatOfExplaining) specs.push_back(*std::move(spec));
  }
  return Plan::Compile(std::move(options), specs);
}

Decider::Decider(const Config* config, const Plan* plan,
                 const std::vector<std::unique_ptr<Detector>>* detectors, Executor executor)
    : plan_(plan),
      deploy_window_(config->correlate.deploy_window),
      executor_(std::move(executor)),
      assembler_(plan),
      scopes_(plan),
      series_limit_(config),
      correlator_(*config),
      folder_(&config->routes) {
  std::size_t explaining = detectors->size();
  for (std::size_t i = 0; i < detectors->size(); ++i) {
    const Detector* detector = (*detectors)[i].get();
    SeriesSet::Specs specs = {.own = i, .explaining = std::nullopt};
    if (detector->Explaining()) specs.explaining = explaining++;
    sets_.emplace_back(detector, specs, plan,
                       SeriesSet::Limits{.scope_max = config->limits.series_max});
    measured_.push_back(HashBytes(MeasuredText(*plan, plan->AggregationOf(i))).Hex());
    std::string text = AggregationText(*plan, plan->AggregationOf(i));
    for (const DetectorConfig& stanza : config->detectors) {
      if (stanza.name == detector->common().name) AppendStanza(stanza.node, &text);
    }
    fingerprints_.push_back(HashBytes(text).Hex());
  }
  // Format 5 did not store its plan: use the plan that it would have compiled from this
  // configuration.
  assembler_.Know(CompilePlan(*config, *detectors, 5).Describe());
}

absl::Status Decider::Append(std::string_view record) { return assembler_.Append(record); }

std::vector<std::pair<std::string, Fact>> Decider::ScopedFacts(std::vector<Fact> facts,
                                                               TimeUs tick) {
  std::erase_if(seen_facts_, [&](const auto& seen) { return seen.second + kFactMemory < tick; });
  std::vector<std::pair<std::string, Fact>> scoped;
  std::vector<LabelView> labels;
  std::array<char, 12> scratch;
  for (Fact& fact : facts) {
    const Event event = fact.AsEvent(&labels);
    std::string scope;
    for (const FieldRef& field : plan_->scope()) AppendKeyPart(field.Get(event, scratch), &scope);
    if (!seen_facts_.emplace(scope + fact.id, tick).second) continue;
    scoped.emplace_back(std::move(scope), std::move(fact));
  }
  return scoped;
}

void Decider::LimitScopes(AssembledTick* tick, ScopeLimit::Facts* facts) {
  const auto busy = [this](std::string_view scope) { return correlator_.HasOpen(scope); };
  const std::vector<std::string> gone = scopes_.Take(tick->tick, busy, &tick->tables, facts);
  if (gone.empty()) return;
  for (const std::string& scope : gone) correlator_.Forget(scope);
  for (SeriesSet& set : sets_) set.Forget(gone);
}

bool Decider::StepActions(Decision* decision) {
  const std::vector<OperatorAction> acts = assembler_.TakeActions();
  if (acts.empty()) return false;
  *decision = Decision();
  decision->tick = last_tick_ == kNoTime ? 0 : last_tick_;
  for (const OperatorAction& act : acts) {
    CorrelatorOutput output;
    correlator_.Apply(act, decision->tick, &output);
    std::move(output.lines.begin(), output.lines.end(), std::back_inserter(decision->incidents));
    std::move(output.notifications.begin(), output.notifications.end(),
              std::back_inserter(decision->notifications));
  }
  folder_.Fold(decision->tick, &decision->notifications);
  WriteLines(decision);
  return true;
}

void Decider::ForEachSet(
    const AssembledTick& tick,
    absl::FunctionRef<void(std::size_t, const SeriesSet::Context&, const PaneTable*)> step) const {
  // The views point into the tick's keys.
  SeriesSet::Scopes heard;
  for (const std::optional<PaneTable>& table : tick.tables) {
    if (table) VisitScopes(*table, *plan_, [&](std::string_view scope) { heard.insert(scope); });
  }
  const auto deploys = [&](std::string_view scope) {
    const TimeUs from = tick.tick - std::max(deploy_window_, kDeployWatch);
    return correlator_.Deploys(scope, from, tick.tick);
  };
  const SeriesSet::Context shared = {.tick = tick.tick,
                                     .partial = tick.partial,
                                     .heard = &heard,
                                     .deploy_window = deploy_window_,
                                     .deploys = deploys,
                                     .explaining = nullptr};
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    SeriesSet::Context context = shared;
    if (const auto explaining = sets_[i].explaining_aggregation()) {
      context.explaining = TableOf(tick, *explaining);
    }
    step(i, context, TableOf(tick, plan_->AggregationOf(i)));
  }
}

bool Decider::Step(Decision* decision) {
  if (past_) EndRelearning();
  if (StepActions(decision)) return true;
  AssembledTick tick;
  if (!assembler_.Next(&tick)) return false;
  *decision = Decision();
  decision->tick = tick.tick;
  decision->partial = tick.partial;
  ++counters_.ticks;
  if (tick.partial) ++counters_.partial_ticks;
  std::vector<std::pair<std::string, Fact>> facts = ScopedFacts(std::move(tick.facts), tick.tick);
  LimitScopes(&tick, &facts);
  users_.Add(tick.tick, TableOf(tick, plan_->users_aggregation()), plan_->users_slot());

  std::vector<TitledChange> changes;
  std::vector<SignalImpact> impacts;
  for (Signal& orphan : orphans_) {
    orphan.cleared_at = tick.tick;
    changes.push_back({{SignalChangeKind::kCleared, orphan}, ""});
  }
  orphans_.clear();
  SeriesLimitAlarm::Input limit{.tick = tick.tick, .partial = tick.partial};
  ForEachSet(tick, [&](std::size_t i, const SeriesSet::Context& context, const PaneTable* table) {
    sets_[i].Step(context, table, executor_, &changes, &impacts);
    for (const std::string& scope : sets_[i].scopes_with_others()) {
      limit.over.emplace(scope, sets_[i].detector().common().name);
    }
    limit.crowded.insert(sets_[i].crowded_scopes().begin(), sets_[i].crowded_scopes().end());
  });
  series_limit_.Step(limit, &changes);
  std::sort(changes.begin(), changes.end(), [](const TitledChange& a, const TitledChange& b) {
    return SignalBefore(a.change.signal, b.change.signal);
  });
  std::sort(impacts.begin(), impacts.end(),
            [](const SignalImpact& a, const SignalImpact& b) { return a.signal < b.signal; });

  const std::vector<ScopeUsers> users = users_.Counts();
  const std::vector<ScopedCall> calls = SeenCalls(TableOf(tick, plan_->calls_aggregation()));
  CorrelatorOutput output;
  correlator_.Tick({.tick = tick.tick,
                    .pane_end = tick.tick,
                    .partial = tick.partial,
                    .changes = changes,
                    .impacts = impacts,
                    .facts = facts,
                    .users = users,
                    .calls = calls},
                   &output);
  for (TitledChange& change : changes) decision->signals.push_back(std::move(change.change));
  decision->incidents = std::move(output.lines);
  decision->notifications = std::move(output.notifications);
  folder_.Fold(tick.tick, &decision->notifications);
  last_tick_ = tick.tick;
  WriteLines(decision);
  return true;
}

void Decider::WriteLines(Decision* decision) {
  for (const SignalChange& change : decision->signals) {
    if (change.kind == SignalChangeKind::kContinued) continue;  // its state is the same
    if (change.kind == SignalChangeKind::kFired) ++counters_.signals_fired;
    JsonWriter json;
    change.signal.WriteJson(/*with_state=*/true, &json);
    OutputLine line;
    line.kind = LineKind::kSignal;
    line.tick = decision->tick;
    line.text = json.Take();
    decision->lines.push_back(std::move(line));
  }
  for (const Incident& incident : decision->incidents) {
    if (incident.revision == 1) ++counters_.incidents_opened;
    OutputLine line;
    line.kind = LineKind::kIncident;
    line.tick = decision->tick;
    line.text = BoundedLine(incident);
    line.incident = incident.id;
    line.open = incident.state != IncidentState::kResolved;
    decision->lines.push_back(std::move(line));
  }
  for (const Notification& notification : decision->notifications) {
    const bool trigger = notification.action == NotificationAction::kTrigger;
    const bool folded = notification.audience == Audience::kNotPaging;
    if (trigger && notification.pages && !folded) ++counters_.pages;
  }
}

std::size_t Decider::series() const {
  std::size_t series = 0;
  for (const SeriesSet& set : sets_) series += set.size();
  return series;
}

std::int64_t Decider::series_over_limit() const {
  std::int64_t over = 0;
  for (const SeriesSet& set : sets_) over += set.evicted() + set.refused();
  return over;
}

std::string Decider::Encode() const {
  SnapshotWriter out;
  const auto add = [&](SnapshotSection section, auto encode) {
    ByteWriter content;
    encode(&content);
    out.Add(section, content.view());
  };
  add(SnapshotSection::kClock, [&](ByteWriter* clock) {
    clock->Signed(last_tick_);
    clock->Signed(counters_.ticks);
    clock->Signed(counters_.partial_ticks);
    clock->Signed(counters_.signals_fired);
    clock->Signed(counters_.incidents_opened);
    clock->Signed(counters_.pages);
  });
  add(SnapshotSection::kSources, [&](ByteWriter* to) { assembler_.Encode(to); });
  add(SnapshotSection::kIncidents, [&](ByteWriter* to) { correlator_.Encode(to); });
  add(SnapshotSection::kFolds, [&](ByteWriter* to) { folder_.Encode(to); });
  add(SnapshotSection::kUsers, [&](ByteWriter* to) { users_.Encode(to); });
  add(SnapshotSection::kSeriesLimit, [&](ByteWriter* to) { series_limit_.Encode(to); });
  add(SnapshotSection::kFacts, [&](ByteWriter* facts) {
    facts->Varint(seen_facts_.size());
    for (const auto& [id, tick] : seen_facts_) {
      facts->Bytes(id);
      facts->Signed(tick);
    }
  });
  add(SnapshotSection::kOrphans, [&](ByteWriter* to) { EncodeSignals(orphans_, to); });
  add(SnapshotSection::kScopes, [&](ByteWriter* to) { scopes_.Encode(to); });
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    ByteWriter state;
    sets_[i].Encode(&state);
    const Detector& detector = sets_[i].detector();
    out.Add({.name = detector.common().name,
             .kind = detector.common().kind,
             .state_version = detector.StateVersion(),
             .measured = measured_[i],
             .fingerprint = fingerprints_[i],
             .firing = sets_[i].Firing(),
             .state = state.view()});
  }
  return out.Take();
}

std::string Decider::RestoreDetector(std::size_t set, const DetectorSection& section, int format) {
  SeriesSet& series = sets_[set];
  const Detector& detector = series.detector();
  std::string why;
  if (section.fingerprint != fingerprints_[set]) {
    why = "its configuration changed";
  } else if (section.state_version != detector.StateVersion()) {
    why = absl::StrCat("its state has version ", section.state_version,
                       " and this build keeps version ", detector.StateVersion());
  } else {
    ByteReader state(section.state, format);
    if (series.Decode(&state)) return "";
    why = "its state cannot be read";
  }
  // Format 5 does not store what defines the series, only a fingerprint that includes the stanza,
  // and a new build may change the stanza of a profile. Firing series with the same labels are
  // taken to be the same.
  const bool same_series =
      format == 5 || section.fingerprint == fingerprints_[set] ||
      (section.kind == detector.common().kind && section.measured == measured_[set]);
  std::vector<Signal> gone = same_series ? series.Hold(section.firing) : section.firing;
  std::move(gone.begin(), gone.end(), std::back_inserter(orphans_));
  return why;
}

absl::Status Decider::Restore(std::string_view snapshot) {
  TOCSIN_ASSIGN_OR_RETURN(const SnapshotSections sections, SnapshotSections::Parse(snapshot));
  ByteReader clock = sections.Open(SnapshotSection::kClock);
  last_tick_ = clock.Signed();
  counters_.ticks = clock.Signed();
  counters_.partial_ticks = clock.Signed();
  counters_.signals_fired = clock.Signed();
  counters_.incidents_opened = clock.Signed();
  counters_.pages = clock.Signed();
  ByteReader facts = sections.Open(SnapshotSection::kFacts);
  for (std::size_t i = facts.Count(2); i > 0 && facts.ok(); --i) {
    std::string key(facts.Bytes());
    seen_facts_[std::move(key)] = facts.Signed();
  }
  ByteReader orphans = sections.Open(SnapshotSection::kOrphans);
  orphans_ = DecodeSignals(&orphans);
  if (!clock.Done() || !facts.Done() || !orphans.Done()) {
    return absl::DataLossError("the snapshot is malformed: its clock, facts or orphans");
  }
  const auto restore = [&](SnapshotSection section, auto* part) {
    ByteReader in = sections.Open(section);
    part->Decode(&in);
    if (in.Done()) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("the snapshot is malformed: its section '",
                                            std::string(SnapshotSectionName(section)),
                                            "' cannot be decoded"));
  };
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kSources, &assembler_));
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kIncidents, &correlator_));
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kFolds, &folder_));
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kUsers, &users_));
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kSeriesLimit, &series_limit_));
  TOCSIN_RETURN_IF_ERROR(restore(SnapshotSection::kScopes, &scopes_));

  std::vector<std::string> why(sets_.size(), "it is new");
  for (const DetectorSection& section : sections.detectors) {
    const auto set = std::find_if(sets_.begin(), sets_.end(), [&](const SeriesSet& one) {
      return one.detector().common().name == section.name;
    });
    if (set == sets_.end()) {
      orphans_.insert(orphans_.end(), section.firing.begin(), section.firing.end());
      continue;
    }
    const auto index = static_cast<std::size_t>(set - sets_.begin());
    why[index] = RestoreDetector(index, section, sections.format);
  }
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    if (!why[i].empty()) lost_.push_back({i, sets_[i].detector().common().name, why[i]});
  }
  if (sections.format < kFormatOfScopes) {
    for (const SeriesSet& set : sets_) {
      for (const std::string& scope : set.ScopesOfSeries()) scopes_.Adopt(scope, last_tick_);
    }
    for (const Incident* incident : correlator_.Open()) scopes_.Adopt(incident->scope, last_tick_);
  }
  return absl::OkStatus();
}

absl::Status Decider::Relearn(std::string_view record) {
  if (!past_) {
    past_ = assembler_.BeforeReports();
    for (const Lost& lost : lost_) sets_[lost.set].BeginRelearning();
  }
  TOCSIN_RETURN_IF_ERROR(past_->Append(record));
  past_->TakeActions();  // already applied
  // The log may begin within an exclusion whose record is gone; do not wait for those sources.
  if (past_->ticks_ahead() > kRelearnTicksAheadMax) {
    TOCSIN_RETURN_IF_ERROR(past_->Append(EncodeControl({.kind = ControlRecord::Kind::kExclude,
                                                        .tick = past_->next_tick(),
                                                        .sources = past_->Missing()})));
  }
  AssembledTick tick;
  while (past_->next_tick() <= last_tick_ && past_->Next(&tick)) {
    if (tick.tick > last_tick_) break;
    scopes_.Fold(&tick.tables);
    std::vector<bool> learns(sets_.size(), false);
    for (const Lost& lost : lost_) learns[lost.set] = true;
    ForEachSet(tick, [&](std::size_t i, const SeriesSet::Context& context, const PaneTable* table) {
      if (learns[i]) sets_[i].Relearn(context, table, executor_);
    });
  }
  return absl::OkStatus();
}

void Decider::EndRelearning() {
  if (!past_) return;
  for (const Lost& lost : lost_) sets_[lost.set].EndRelearning();
  past_.reset();
}

}  // namespace tocsin
