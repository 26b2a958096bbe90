#include "engine/decider.h"

#include <algorithm>
#include <array>
#include <climits>

#include "core/bounded_line.h"
#include "core/labels.h"
#include "core/status_macros.h"
#include "engine/seen_calls.h"

namespace tocsin {
namespace {

// What a snapshot begins with, before its format. Format 5 had a name of its own and no number.
constexpr std::string_view kSnapshotName = "decider";
constexpr std::string_view kSnapshotNameOfFormat5 = "decider-5";
// A fact that is delivered again (at-least-once sources) within this time is the same fact.
constexpr DurationUs kFactMemory = kHourUs;

SeriesSpec SpecOf(const Detector& detector) {
  SeriesSpec spec = detector.Spec();
  const std::vector<Measure> impact = ImpactMeasures();
  spec.measures.insert(spec.measures.end(), impact.begin(), impact.end());
  return spec;
}

// Canonical text of a stanza, so that state is kept exactly when nothing about it changed.
void AppendStanza(const ConfigNode& node, std::string* text) {
  *text += static_cast<char>('0' + static_cast<int>(node.kind));
  *text += node.scalar + '\n';
  for (const auto& [key, value] : node.map) {
    *text += key + '=';
    AppendStanza(value, text);
  }
  for (const ConfigNode& item : node.list) AppendStanza(item, text);
}

// What the state of a detector's series and their keys depend on beside its stanza.
std::string AggregationText(const Plan& plan, std::size_t index) {
  const Aggregation& aggregation = plan.aggregations()[index];
  std::string text = std::to_string(plan.pane()) + ' ' + std::to_string(aggregation.delay) + ' ' +
                     std::to_string(plan.scope_fields());
  for (const std::string& name : aggregation.by_names) text += ' ' + name;
  return text + '\n';
}

}  // namespace

Plan CompilePlan(const Config& config, const std::vector<std::unique_ptr<Detector>>& detectors) {
  PlanOptions options;
  options.scope = config.scope;
  options.pane = config.pane;
  for (const InputConfig& input : config.inputs)
    options.inputs.push_back({input.name, input.delay});
  std::vector<SeriesSpec> specs;
  for (const std::unique_ptr<Detector>& detector : detectors) specs.push_back(SpecOf(*detector));
  // Behind those that are known by the number of their detector.
  for (const std::unique_ptr<Detector>& detector : detectors) {
    if (std::optional<SeriesSpec> spec = detector->Explaining()) specs.push_back(*std::move(spec));
  }
  return Plan::Compile(std::move(options), specs);
}

Decider::Decider(const Config* config, const Plan* plan,
                 const std::vector<std::unique_ptr<Detector>>* detectors, Executor executor)
    : plan_(plan),
      deploy_window_(config->correlate.deploy_window),
      executor_(std::move(executor)),
      assembler_(plan),
      series_limit_(config),
      correlator_(*config),
      folder_(&config->routes) {
  std::size_t explaining = detectors->size();
  for (std::size_t i = 0; i < detectors->size(); ++i) {
    const Detector* detector = (*detectors)[i].get();
    SeriesSet::Specs specs = {.own = i, .explaining = std::nullopt};
    if (detector->Explaining()) specs.explaining = explaining++;
    sets_.emplace_back(detector, specs, plan, config->limits.series_max);
    std::string text = AggregationText(*plan, plan->AggregationOf(i));
    for (const DetectorConfig& stanza : config->detectors) {
      if (stanza.name == detector->common().name) AppendStanza(stanza.node, &text);
    }
    fingerprints_.push_back(HashBytes(text).Hex());
  }
}

absl::Status Decider::Append(std::string_view record) { return assembler_.Append(record); }

std::vector<std::pair<std::string, Fact>> Decider::ScopedFacts(std::vector<Fact> facts,
                                                               TimeUs tick) {
  std::erase_if(seen_facts_, [&](const auto& seen) { return seen.second + kFactMemory < tick; });
  std::vector<std::pair<std::string, Fact>> scoped;
  std::vector<LabelView> labels;
  std::array<char, 12> scratch;
  for (Fact& fact : facts) {
    if (!seen_facts_.emplace(fact.id, tick).second) continue;
    const Event event = fact.AsEvent(&labels);
    std::string scope;
    for (const FieldRef& field : plan_->scope()) AppendKeyPart(field.Get(event, scratch), &scope);
    scoped.emplace_back(std::move(scope), std::move(fact));
  }
  return scoped;
}

bool Decider::StepActs(Decision* decision) {
  const std::vector<Act> acts = assembler_.TakeActs();
  if (acts.empty()) return false;
  *decision = Decision();
  decision->tick = last_tick_ == kNoTime ? 0 : last_tick_;
  for (const Act& act : acts) {
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

bool Decider::Step(Decision* decision) {
  if (StepActs(decision)) return true;
  AssembledTick tick;
  if (!assembler_.Next(&tick)) return false;
  *decision = Decision();
  decision->tick = tick.tick;
  decision->partial = tick.partial;
  ++counters_.ticks;
  if (tick.partial) ++counters_.partial_ticks;
  const auto table_of = [&](std::size_t aggregation) {
    const std::optional<PaneTable>& table = tick.tables[aggregation];
    return table ? &*table : nullptr;
  };
  users_.Add(tick.tick, table_of(plan_->users_aggregation()), plan_->users_slot());

  std::vector<TitledChange> changes;
  std::vector<SignalImpact> impacts;
  for (Signal& orphan : orphans_) {
    orphan.cleared_at = tick.tick;
    changes.push_back({{SignalChangeKind::kCleared, orphan}, ""});
  }
  orphans_.clear();
  const bool alive =
      std::any_of(tick.tables.begin(), tick.tables.end(),
                  [](const std::optional<PaneTable>& table) { return table && table->rows() > 0; });
  const auto deploys = [&](std::string_view scope) {
    const TimeUs from = tick.tick - std::max(deploy_window_, kDeployWatch);
    return correlator_.Deploys(scope, from, tick.tick);
  };
  SeriesLimitAlarm::Input limit{.tick = tick.tick, .partial = tick.partial, .over = {}};
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    const std::optional<std::size_t> explaining = sets_[i].explaining_aggregation();
    sets_[i].Step({.tick = tick.tick,
                   .partial = tick.partial,
                   .alive = alive,
                   .deploy_window = deploy_window_,
                   .deploys = deploys,
                   .explaining = explaining ? table_of(*explaining) : nullptr},
                  table_of(plan_->AggregationOf(i)), executor_, &changes, &impacts);
    for (const std::string& scope : sets_[i].scopes_with_others()) {
      limit.over.emplace(scope, sets_[i].detector().common().name);
    }
  }
  series_limit_.Step(limit, &changes);
  std::sort(changes.begin(), changes.end(), [](const TitledChange& a, const TitledChange& b) {
    return SignalBefore(a.change.signal, b.change.signal);
  });
  std::sort(impacts.begin(), impacts.end(),
            [](const SignalImpact& a, const SignalImpact& b) { return a.signal < b.signal; });

  const std::vector<std::pair<std::string, Fact>> facts =
      ScopedFacts(std::move(tick.facts), tick.tick);
  const std::vector<ScopeUsers> users = users_.Counts();
  const std::vector<ScopedCall> calls = SeenCalls(table_of(plan_->calls_aggregation()));
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
    decision->lines.push_back({LineKind::kSignal, decision->tick, json.Take()});
  }
  for (const Incident& incident : decision->incidents) {
    if (incident.revision == 1) ++counters_.incidents_opened;
    decision->lines.push_back({LineKind::kIncident, decision->tick, BoundedLine(incident)});
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
  ByteWriter out;
  out.Bytes(kSnapshotName);
  out.Varint(kStateFormat);
  out.Signed(last_tick_);
  out.Signed(counters_.ticks);
  out.Signed(counters_.partial_ticks);
  out.Signed(counters_.signals_fired);
  out.Signed(counters_.incidents_opened);
  out.Signed(counters_.pages);
  ByteWriter assembler;
  assembler_.Encode(&assembler);
  out.Bytes(assembler.view());
  ByteWriter correlator;
  correlator_.Encode(&correlator);
  out.Bytes(correlator.view());
  ByteWriter folder;
  folder_.Encode(&folder);
  out.Bytes(folder.view());
  ByteWriter users;
  users_.Encode(&users);
  out.Bytes(users.view());
  ByteWriter series_limit;
  series_limit_.Encode(&series_limit);
  out.Bytes(series_limit.view());
  out.Varint(seen_facts_.size());
  for (const auto& [id, tick] : seen_facts_) {
    out.Bytes(id);
    out.Signed(tick);
  }
  // What would be orphaned stays readable without knowing the detector: its firing signals apart.
  out.Varint(sets_.size() + (orphans_.empty() ? 0 : 1));
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    out.Bytes(sets_[i].detector().common().name);
    out.Bytes(fingerprints_[i]);
    const std::vector<Signal> firing = sets_[i].Firing();
    out.Varint(firing.size());
    for (const Signal& signal : firing) signal.Encode(&out);
    ByteWriter state;
    sets_[i].Encode(&state);
    out.Bytes(state.view());
  }
  if (!orphans_.empty()) {
    out.Bytes("");
    out.Bytes("");
    out.Varint(orphans_.size());
    for (const Signal& signal : orphans_) signal.Encode(&out);
    out.Bytes("");
  }
  return out.Take();
}

absl::Status Decider::Restore(std::string_view snapshot) {
  const absl::Status damaged = absl::DataLossError("the snapshot is malformed");
  ByteReader in(snapshot);
  const std::string_view format_name = in.Bytes();
  if (format_name == kSnapshotNameOfFormat5) {
    in.set_format(5);
  } else if (format_name == kSnapshotName) {
    in.set_format(static_cast<int>(std::min<std::uint64_t>(in.Varint(), INT_MAX)));
  } else {
    return absl::UnimplementedError("the snapshot is of a version of tocsin before format 5");
  }
  if (in.format() > kStateFormat) {
    return absl::FailedPreconditionError(
        "the snapshot has format " + std::to_string(in.format()) + ", this build reads formats " +
        std::to_string(kStateFormatOldest) + " to " + std::to_string(kStateFormat) +
        ": run the version of tocsin that wrote it, or a newer one");
  }
  last_tick_ = in.Signed();
  counters_.ticks = in.Signed();
  counters_.partial_ticks = in.Signed();
  counters_.signals_fired = in.Signed();
  counters_.incidents_opened = in.Signed();
  counters_.pages = in.Signed();
  ByteReader assembler = in.Nested();
  assembler_.Decode(&assembler);
  ByteReader correlator = in.Nested();
  correlator_.Decode(&correlator);
  ByteReader folder = in.Nested();
  folder_.Decode(&folder);
  ByteReader users = in.Nested();
  users_.Decode(&users);
  ByteReader series_limit = in.Nested();
  series_limit_.Decode(&series_limit);
  if (!assembler.Done() || !correlator.Done() || !folder.Done() || !users.Done() ||
      !series_limit.Done()) {
    return damaged;
  }
  for (std::size_t i = in.Count(2); i > 0 && in.ok(); --i) {
    std::string id(in.Bytes());
    seen_facts_[std::move(id)] = in.Signed();
  }
  for (std::size_t i = in.Count(4); i > 0 && in.ok(); --i) {
    const std::string_view name = in.Bytes();
    const std::string_view fingerprint = in.Bytes();
    std::vector<Signal> firing;
    for (std::size_t n = in.Count(); n > 0 && in.ok(); --n) firing.push_back(Signal::Decode(&in));
    ByteReader state = in.Nested();
    bool kept = false;
    for (std::size_t set = 0; set < sets_.size() && in.ok(); ++set) {
      if (sets_[set].detector().common().name != name || fingerprints_[set] != fingerprint)
        continue;
      sets_[set].Decode(&state);
      if (!state.Done()) return damaged;
      kept = true;
    }
    if (!kept) std::move(firing.begin(), firing.end(), std::back_inserter(orphans_));
  }
  return in.Done() ? absl::OkStatus() : damaged;
}

}  // namespace tocsin
