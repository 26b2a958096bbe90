#include "engine/series_set.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/labels.h"

namespace tocsin {
namespace {

// A series without events for this long may make room for a new one.
constexpr DurationUs kIdleMin = kHourUs;
constexpr TimeUs kEvicted = INT64_MAX;

// How often a signal has been reported as continuing: after an hour, six hours, a day, then every
// day.
std::int64_t TimesToContinue(DurationUs firing_for) {
  if (firing_for < 6 * kHourUs) return firing_for < kHourUs ? 0 : 1;
  return 2 + firing_for / kDayUs;
}

bool KeyBefore(const auto& a, const auto& b) { return a->key < b->key; }

void EncodeImpact(const SignalImpact& impact, ByteWriter* out) {
  out->Signed(impact.total);
  out->Signed(impact.failed);
  out->Signed(impact.failed_transactions);
  out->Double(impact.failed_amount);
  impact.failed_users.Encode(out);
  out->Bool(impact.capped);
}

SignalImpact DecodeImpact(ByteReader* in) {
  SignalImpact impact;
  impact.total = in->Signed();
  impact.failed = in->Signed();
  impact.failed_transactions = in->Signed();
  impact.failed_amount = in->Double();
  impact.failed_users = HyperLogLog::Decode(in);
  impact.capped = in->Bool();
  return impact;
}

// Deploys name a service or, if there is none, an app.
std::string ServiceOf(const Labels& labels) {
  const std::string_view service = LabelValue(labels, "service");
  return std::string(service.empty() ? LabelValue(labels, "app") : service);
}

// The newest release of each service of a scope, looked up once a tick for every series.
class Releases {
 public:
  // In order of time.
  void Take(std::span<const Deploy> deploys) {
    of_service_.clear();
    newest_ = unnamed_ = kNoTime;
    for (const Deploy& deploy : deploys) {
      if (deploy.rollback) continue;
      newest_ = deploy.time;
      (deploy.service.empty() ? unnamed_ : of_service_[deploy.service]) = deploy.time;
    }
  }
  // A release that names no service concerns all series; every release concerns a series without a
  // service.
  TimeUs Newest(std::string_view service) const {
    if (service.empty() || newest_ == kNoTime) return newest_;
    const auto found = of_service_.find(service);
    return found == of_service_.end() ? unnamed_ : std::max(unnamed_, found->second);
  }

 private:
  std::map<std::string_view, TimeUs> of_service_;
  TimeUs newest_ = kNoTime, unnamed_ = kNoTime;
};

}  // namespace

std::vector<Measure> ImpactMeasures() {
  return {Measure::Count(),
          Measure::CountFailed(),
          {.filter = MeasureFilter::kFailedTransaction},
          Measure::FailedAmount(),
          Measure::Distinct(Field::kUser, MeasureFilter::kFailed)};
}

SeriesSet::SeriesSet(const Detector* detector, Specs specs, const Plan* plan, Limits limits)
    : detector_(detector),
      spec_(specs.own),
      plan_(plan),
      limits_(limits),
      aggregation_(&plan->aggregations()[plan->AggregationOf(spec_)]),
      impact_measure_(plan->SlotsOf(spec_).size() - ImpactMeasures().size()) {
  if (specs.explaining) explaining_.emplace(plan, *specs.explaining);
}

SpecCells SeriesSet::CellsOf(const Series& series) const {
  return {.cell = series.cell, .slots = &plan_->SlotsOf(spec_)};
}

SeriesSet::Series* SeriesSet::Find(std::string_view key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : found->second;
}

SeriesSet::Idlers SeriesSet::Idle(std::string_view prefix, TimeUs tick) const {
  Idlers idle;
  auto at =
      std::lower_bound(series_.begin(), series_.end(), prefix,
                       [](const auto& series, std::string_view key) { return series->key < key; });
  for (; at != series_.end() && (*at)->key.starts_with(prefix); ++at) {
    Series* const series = at->get();
    if (series->seen == kEvicted) continue;
    if (!series->rule.firing() && series->seen + kIdleMin <= tick) idle.left.push_back(series);
  }
  // Ties stay in key order, because series_ is in key order; the first candidate is at the back.
  std::reverse(idle.left.begin(), idle.left.end());
  std::stable_sort(idle.left.begin(), idle.left.end(),
                   [](const Series* a, const Series* b) { return a->seen > b->seen; });
  return idle;
}

SeriesSet::Series* SeriesSet::Insert(std::string_view key, TimeUs tick) {
  auto series = std::make_unique<Series>();
  series->key = std::string(key);
  series->scope = std::string(plan_->ScopeOf(key));
  const Labels labels = LabelsFromKey(aggregation_->by_names, key);
  series->service = ServiceOf(labels);
  series->explaining_service = std::string(LabelValue(labels, "service"));
  series->other = aggregation_->layout.IsOther(key);
  series->state = detector_->NewSeries();
  series->seen = tick;
  series->population = &populations_[series->scope];
  ++series->population->series;
  ++all_.series;
  if (explaining_ && series->population->explained < limits::kExplainedSeriesMax &&
      all_.explained < limits::kDetectorExplainedMax) {
    SetExplained(series.get(), true);
  } else if (explaining_) {
    series->state->LeaveUnexplained();
  }
  Series* raw = series.get();
  fresh_.push_back(std::move(series));
  index_.emplace(raw->key, raw);
  return raw;
}

void SeriesSet::TakeRows(const PaneTable& table, TimeUs tick) {
  std::vector<std::uint32_t> unknown;
  for (std::uint32_t row = 0; row < table.rows(); ++row) {
    Series* series = Find(table.key(row));
    if (series == nullptr) {
      unknown.push_back(row);
      continue;
    }
    series->cell = table.Cell(row);
    series->seen = tick;
  }
  if (unknown.empty()) return;
  // In key order, so that the order of arrival does not decide which series hit the limit.
  std::sort(unknown.begin(), unknown.end(),
            [&](std::uint32_t a, std::uint32_t b) { return table.key(a) < table.key(b); });
  TakeNewRows(table, unknown, tick);
  std::erase_if(series_, [](const auto& series) { return series->seen == kEvicted; });
  MergeFresh();
  std::erase_if(populations_, [](const auto& one) { return one.second.series == 0; });
}

void SeriesSet::MergeFresh() {
  const std::size_t middle = series_.size();
  std::move(fresh_.begin(), fresh_.end(), std::back_inserter(series_));
  fresh_.clear();
  const auto mid = series_.begin() + static_cast<std::ptrdiff_t>(middle);
  std::sort(mid, series_.end(), KeyBefore<std::unique_ptr<Series>, std::unique_ptr<Series>>);
  std::inplace_merge(series_.begin(), mid, series_.end(),
                     KeyBefore<std::unique_ptr<Series>, std::unique_ptr<Series>>);
}

void SeriesSet::SetExplained(Series* series, bool explained) {
  if (series->explained == explained) return;
  series->explained = explained;
  for (Population* population : {series->population, &all_}) {
    explained ? ++population->explained : --population->explained;
  }
}

void SeriesSet::Leave(Series* series) {
  SetExplained(series, false);
  --series->population->series;
  --all_.series;
  index_.erase(series->key);
}

void SeriesSet::Clear() {
  index_.clear();
  series_.clear();
  populations_.clear();
  all_ = Population();
}

void SeriesSet::Evict(Series* series) {
  Leave(series);
  series->seen = kEvicted;
  ++evicted_;
}

SeriesSet::Series* SeriesSet::Idlers::Next() {
  while (!left.empty()) {
    Series* const series = left.back();
    left.pop_back();
    if (series->seen != kEvicted) return series;
  }
  return nullptr;
}

void SeriesSet::TakeNewRows(const PaneTable& table, Rows rows, TimeUs tick) {
  std::optional<Idlers> of_all;
  while (!rows.empty()) {
    const std::string_view scope = plan_->ScopeOf(table.key(rows.front()));
    const auto end = std::find_if(rows.begin(), rows.end(), [&](std::uint32_t row) {
      return plan_->ScopeOf(table.key(row)) != scope;
    });
    const auto size = static_cast<std::size_t>(end - rows.begin());
    TakeRowsOfScope(table, scope, rows.first(size), tick, &of_all);
    rows = rows.subspan(size);
  }
}

void SeriesSet::TakeRowsOfScope(const PaneTable& table, std::string_view scope, Rows rows,
                                TimeUs tick, std::optional<Idlers>* of_all) {
  const Population& population = populations_[std::string(scope)];
  std::optional<Idlers> of_scope;
  const auto make_room = [&](std::optional<Idlers>* idlers, std::string_view prefix) {
    if (!*idlers) *idlers = Idle(prefix, tick);
    Series* const idle = (*idlers)->Next();
    if (idle != nullptr) Evict(idle);
    return idle != nullptr;
  };
  for (const std::uint32_t row : rows) {
    bool room = true;
    if (population.series >= limits_.scope_max) {
      room = make_room(&of_scope, scope);
    } else if (all_.series >= limits_.all_max) {
      room = make_room(of_all, "");
      if (!room) crowded_.emplace(scope);
    }
    if (room) {
      Insert(table.key(row), tick)->cell = table.Cell(row);
    } else {
      TakeAsOther(table, row, tick);
    }
  }
}

void SeriesSet::TakeAsOther(const PaneTable& table, std::uint32_t row, TimeUs tick) {
  ++refused_;
  const TableLayout& layout = aggregation_->layout;
  const std::string key = layout.OtherKey(table.key(row));
  if (!overflow_) overflow_.emplace(&layout);
  if (!overflow_->FindRow(key)) {
    // The table may already have an (other) row, of keys past the pane's own limit.
    if (const std::optional<std::uint32_t> capped = table.FindRow(key)) {
      overflow_->MergeRow(table, *capped, key);
    }
  }
  if (table.key(row) != key) overflow_->MergeRow(table, row, key);
  Series* series = Find(key);
  if (series == nullptr) series = Insert(key, tick);
  series->cell = overflow_->Cell(*overflow_->FindRow(key));
  series->seen = tick;
}

void SeriesSet::Step(const Context& context, const PaneTable* table, const Executor& executor,
                     std::vector<TitledChange>* changes, std::vector<SignalImpact>* impacts) {
  for (const std::unique_ptr<Series>& series : series_) series->cell = CellView();
  overflow_.reset();
  scopes_with_others_.clear();
  crowded_.clear();
  if (table != nullptr) TakeRows(*table, context.tick);
  PaneContext pane;
  pane.tick = context.tick;
  pane.pane = plan_->pane();
  pane.end = context.tick - aggregation_->delay;
  pane.start = pane.end - pane.pane;
  pane.partial = context.partial;
  if (explaining_) explaining_->Take(context.explaining);
  std::string_view scope;
  Releases releases;
  bool recent_deploy = false;
  bool first = true;
  const auto from = [&](std::span<const Deploy> deploys, DurationUs window) {
    const auto begin = std::find_if(deploys.begin(), deploys.end(), [&](const Deploy& deploy) {
      return deploy.time >= context.tick - window;
    });
    return deploys.subspan(static_cast<std::size_t>(begin - deploys.begin()));
  };
  for (const std::unique_ptr<Series>& series : series_) {
    // Keys begin with the scope, so equal scopes are neighbours.
    if (first || series->scope != scope) {
      scope = series->scope;
      const std::span<const Deploy> deploys = context.deploys(scope);
      releases.Take(from(deploys, kDeployWatch));
      const std::span<const Deploy> recent = from(deploys, context.deploy_window);
      recent_deploy = std::any_of(recent.begin(), recent.end(),
                                  [](const Deploy& deploy) { return !deploy.rollback; });
      pane.others_alive = context.heard == nullptr || context.heard->contains(scope);
      first = false;
    }
    // Each scope has at most one (other) series.
    if (series->other && series->cell.present()) scopes_with_others_.push_back(series->scope);
    series->context = pane;
    series->context.recent_deploy = recent_deploy;
    series->context.deployed_at = releases.Newest(series->service);
    series->context.firing = series->rule.firing();
    if (series->explained && series->explaining_service.empty()) explaining_->NeedScopes();
  }
  executor(series_.size(), [this](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) Update(series_[i].get());
  });
  for (const std::unique_ptr<Series>& series : series_) Collect(series.get(), changes, impacts);
}

void SeriesSet::Update(Series* series) const {
  if (series->explained) {
    explaining_->Visit(series->scope, series->explaining_service, [series](const SpecCells& cells) {
      series->state->AddExplaining(series->context, cells);
    });
  }
  series->reading = series->state->Update(series->context, CellsOf(*series));
  series->change = series->rule.Step(detector_->common(), series->context, series->reading);
}

void SeriesSet::AddImpact(const Series& series, SignalImpact* impact) const {
  const SpecCells cells = CellsOf(series);
  impact->total += cells.Count(impact_measure_);
  impact->failed += cells.Count(impact_measure_ + 1);
  impact->failed_transactions += cells.Count(impact_measure_ + 2);
  impact->failed_amount += cells.Sum(impact_measure_ + 3);
  impact->failed_users.Merge(cells.Distinct(impact_measure_ + 4));
  impact->capped = impact->capped || series.other;
}

Signal SeriesSet::NewSignal(const Series& series, const RuleChange& fired) const {
  const DetectorCommon& common = detector_->common();
  Signal signal;
  signal.id = SignalId(common.name, series.key, series.context.tick);
  signal.detector = common.name;
  signal.kind = common.kind;
  signal.scope = series.scope;
  signal.series = LabelsFromKey(aggregation_->by_names, series.key);
  signal.degraded_only = common.degraded_only;
  signal.drifts = detector_->Drifts(signal.series);
  signal.onset = fired.onset;
  signal.began = fired.began;
  signal.fired_at = series.context.tick;
  return signal;
}

TitledChange SeriesSet::Change(const RuleChange& change, Series* series) const {
  const TimeUs tick = series->context.tick;
  if (change.kind == SignalChangeKind::kFired) series->signal = NewSignal(*series, change);
  Signal& signal = *series->signal;
  const auto slot = static_cast<std::size_t>(change.slot);
  const LevelReading& level = series->reading.level[slot];
  signal.value = level.value;
  signal.threshold = level.threshold;
  signal.evidence = series->state->Explain();
  const DurationUs firing_for = tick - signal.fired_at;
  if (firing_for >= kHourUs) {
    const std::string text = FormatDuration(FloorTo(firing_for, kMinuteUs));
    signal.evidence.insert(signal.evidence.begin(),
                           {.kind = "window", .name = "firing", .json = '"' + text + '"'});
  }
  if (change.kind == SignalChangeKind::kCleared) {
    signal.cleared_at = tick;
  } else if (change.kind != SignalChangeKind::kContinued) {
    signal.classification = series->state->Classification();
    signal.level =
        detector_->CapLevel(detector_->common().level[slot].level, signal.classification);
    signal.category = detector_->CategoryOf(signal.classification);
    signal.down = signal.down || detector_->MeansDown(signal);
  }
  std::string title = detector_->Title(signal);
  if (change.kind == SignalChangeKind::kContinued) {
    title += ", firing for " + FormatDuration(FloorTo(firing_for, kMinuteUs));
  }
  return {{change.kind, signal}, std::move(title)};
}

void SeriesSet::Collect(Series* series, std::vector<TitledChange>* changes,
                        std::vector<SignalImpact>* impacts) const {
  const bool hurting = series->rule.firing() || series->rule.pending_since() != kNoTime;
  if (hurting) AddImpact(*series, &series->since_onset);
  if (series->change) {
    changes->push_back(Change(*series->change, series));
    if (series->change->kind == SignalChangeKind::kCleared) series->signal.reset();
  } else if (series->signal) {
    const DurationUs firing_for = series->context.tick - series->signal->fired_at;
    if (TimesToContinue(firing_for) > TimesToContinue(firing_for - series->context.pane)) {
      changes->push_back(Change({.kind = SignalChangeKind::kContinued,
                                 .slot = series->rule.firing_slot(),
                                 .onset = series->rule.onset(),
                                 .began = {}},
                                series));
    }
  }
  if (series->signal) {
    series->since_onset.signal = series->signal->id;
    const auto& levels = series->reading.level;
    series->since_onset.breaching =
        std::any_of(levels.begin(), levels.end(),
                    [](const LevelReading& level) { return level.verdict >= Verdict::kBreach; });
    impacts->push_back(std::move(series->since_onset));
    series->since_onset = SignalImpact();
  } else if (!hurting) {
    series->since_onset = SignalImpact();
  }
}

std::vector<std::string> SeriesSet::ScopesOfSeries() const {
  std::vector<std::string> scopes;  // series are in key order, and keys begin with the scope
  for (const std::unique_ptr<Series>& series : series_) {
    if (scopes.empty() || scopes.back() != series->scope) scopes.push_back(series->scope);
  }
  return scopes;
}

void SeriesSet::Forget(const std::vector<std::string>& scopes) {
  const std::set<std::string_view> gone(scopes.begin(), scopes.end());
  std::erase_if(series_, [&](const std::unique_ptr<Series>& series) {
    if (series->rule.firing() || !gone.contains(series->scope)) return false;
    Leave(series.get());
    return true;
  });
  std::erase_if(populations_, [](const auto& one) { return one.second.series == 0; });
}

std::vector<Signal> SeriesSet::Firing() const {
  std::vector<Signal> firing;
  for (const std::unique_ptr<Series>& series : series_) {
    if (series->signal) firing.push_back(*series->signal);
  }
  return firing;
}

std::optional<std::string> SeriesSet::KeyOf(const Signal& signal) const {
  std::string key;
  auto label = signal.series.begin();
  for (const std::string& name : aggregation_->by_names) {
    const bool has = label != signal.series.end() && label->first == name;
    AppendKeyPart(has ? std::string_view(label->second) : std::string_view(), &key);
    if (has) ++label;
  }
  if (label != signal.series.end()) return std::nullopt;
  return key;
}

void SeriesSet::HoldFiring(Series* series, const Signal& signal) const {
  const DetectorCommon& common = detector_->common();
  const auto level_of = [&](std::size_t slot) {
    return detector_->CapLevel(common.level[slot].level, signal.classification);
  };
  // If both slots have the signal's level, hold the lower slot, so that a raise that was not
  // reported yet is not lost.
  const bool warns = common.level[0].set && signal.level >= level_of(0);
  const bool critical = common.level[1].set && signal.level <= level_of(1) && !warns;
  series->rule.Hold(critical ? 1 : 0, signal.onset);
  series->signal = signal;
  series->since_onset = SignalImpact();
}

std::vector<Signal> SeriesSet::Hold(const std::vector<Signal>& firing) {
  std::vector<Signal> unknown;
  for (const Signal& signal : firing) {
    const std::optional<std::string> key = KeyOf(signal);
    if (!key || signal.kind != detector_->common().kind || Find(*key) != nullptr) {
      unknown.push_back(signal);
    } else {
      HoldFiring(Insert(*key, signal.fired_at), signal);
    }
  }
  MergeFresh();
  return unknown;
}

void SeriesSet::BeginRelearning() {
  for (const std::unique_ptr<Series>& series : series_) {
    if (series->signal) held_.emplace(series->key, *series->signal);
  }
  Clear();
}

void SeriesSet::Relearn(const Context& context, const PaneTable* table, const Executor& executor) {
  std::vector<TitledChange> changes;
  std::vector<SignalImpact> impacts;
  Step(context, table, executor, &changes, &impacts);
  for (const auto& [key, signal] : held_) {
    Series* series = signal.fired_at <= context.tick ? Find(key) : nullptr;
    if (series != nullptr) HoldFiring(series, signal);
  }
}

void SeriesSet::EndRelearning() {
  for (const std::unique_ptr<Series>& series : series_) {
    if (held_.contains(series->key)) continue;
    series->rule.Withdraw();
    series->signal.reset();
  }
  for (const auto& [key, signal] : held_) {
    Series* series = Find(key);
    HoldFiring(series != nullptr ? series : Insert(key, signal.fired_at), signal);
  }
  MergeFresh();
  held_.clear();
}

void SeriesSet::Encode(ByteWriter* out) const {
  out->Signed(evicted_);
  out->Signed(refused_);
  out->Varint(series_.size());
  for (const std::unique_ptr<Series>& series : series_) {
    out->Bytes(series->key);
    out->Signed(series->seen);
    series->rule.Encode(out);
    if (explaining_) out->Bool(series->explained);
    series->state->Encode(out);
    EncodeImpact(series->since_onset, out);
    out->Bool(series->signal.has_value());
    if (series->signal) series->signal->Encode(out);
  }
}

bool SeriesSet::Decode(ByteReader* in) {
  evicted_ = in->Signed();
  refused_ = in->Signed();
  for (std::size_t i = in->Count(4); i > 0 && in->ok(); --i) {
    Series* series = Insert(in->Bytes(), kNoTime);
    series->seen = in->Signed();
    series->rule.Decode(in);
    if (explaining_ && in->format() >= 6) {
      SetExplained(series, in->Bool());
    }
    series->state->Decode(in);
    series->since_onset = DecodeImpact(in);
    if (in->Bool()) series->signal = Signal::Decode(in);
  }
  series_ = std::move(fresh_);  // encoded in key order
  fresh_.clear();
  if (in->Done()) return true;
  Clear();
  evicted_ = refused_ = 0;
  return false;
}

}  // namespace tocsin
