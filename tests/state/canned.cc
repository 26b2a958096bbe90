#include "tests/state/canned.h"

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "core/delivery.h"
#include "core/fact.h"
#include "core/hyperloglog.h"
#include "core/incident.h"
#include "core/operator_action.h"
#include "core/space_saving.h"
#include "core/wire.h"
#include "correlate/calls.h"
#include "correlate/correlator.h"
#include "correlate/deploys.h"
#include "correlate/impact.h"
#include "correlate/record.h"
#include "engine/decider.h"
#include "engine/page_grouper.h"
#include "engine/scope_users.h"
#include "engine/series_limit_alarm.h"
#include "engine/tick_assembler.h"
#include "panes/pane_batch.h"
#include "tests/detectors/examples.h"
#include "tests/detectors/series_driver.h"
#include "tests/engine/setup.h"

namespace tocsin::testing {
namespace {

constexpr TimeUs kTime = 1'772'409'600 * kSecondUs;  // 2026-03-02T00:00:00Z
constexpr DurationUs kPane = 10 * kSecondUs;

constexpr const char* kYaml = R"(
inputs: [{name: app, file: app.log}]
topology: {api: [orders-db]}
detectors:
  - {name: errors, kind: error_rate, by: [service], critical: {above: 50%, window: 30s, for: 0s, level: 2}}
  - {name: pool, kind: saturation, by: [dependency], warn: {above: 80%, for: 0s}}
)";

// ---- values ----

template <typename T>
std::string Encoded(const T& value) {
  ByteWriter out;
  value.Encode(&out);
  return out.Take();
}

std::string Key(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const std::string_view part : parts) AppendKeyPart(part, &key);
  return key;
}

HyperLogLog Users(int count) {
  HyperLogLog users;
  for (int i = 0; i < count; ++i) users.AddHash(Hash64("user " + std::to_string(i)));
  return users;
}

Signal MakeSignal(int format, const std::string& service = "api") {
  Signal signal;
  signal.detector = "errors";
  signal.kind = "error_rate";
  signal.scope = Key({"prod"});
  signal.series = {{"env", "prod"}, {"service", service}};
  signal.id = SignalId("errors", Key({"prod", service}), kTime);
  signal.category = Category::kPerformance;
  signal.classification = "surge";
  signal.level = 2;
  signal.degraded_only = true;
  signal.down = true;
  signal.onset = kTime - 5 * kPane;
  signal.fired_at = kTime;
  signal.cleared_at = kTime + kMinuteUs;
  signal.value = 0.25;
  signal.threshold = 0.05;
  signal.evidence = {{"window", "rate", "\"5m\""}, {"top", "endpoint", "[\"/orders\"]"}};
  if (format < 6) return signal;
  signal.drifts = true;
  signal.began = {.earliest = kTime - 6 * kPane, .latest = kTime - 5 * kPane};
  signal.breached_at = kTime + kPane;
  return signal;
}

Incident MakeIncident(int format) {
  Incident incident;
  const Signal signal = MakeSignal(format);
  incident.id = IncidentId(signal.scope, signal.id);
  incident.number = "INC-2026-007";
  incident.revision = 9;
  incident.state = IncidentState::kAcknowledged;
  incident.severity = "SEV2";
  incident.severity_level = 2;
  incident.severity_rule = "the detector's";
  incident.category = Category::kCapacity;
  incident.title = "error rate of service=api is 25 %";
  incident.scope = signal.scope;
  incident.scope_labels = {{"env", "prod"}};
  incident.component = "api";
  incident.classification = "surge";
  incident.onset = signal.onset;
  incident.detected_at = kTime;
  incident.acknowledged_at = kTime + kMinuteUs;
  incident.resolved_at = kTime + kHourUs;
  incident.signals = {signal, MakeSignal(format, "web")};
  incident.suspects = {{"deploy", "api v2", kTime - kHourUs, "was deployed before"}};
  incident.impact = {.users_affected = 12,
                     .users_total = 900,
                     .failed = 345,
                     .failed_transactions = 6,
                     .revenue = 78.5};
  incident.advice = {"Look at the last deploy", "Roll back"};
  incident.runbook = "https://runbooks.example/errors";
  incident.escalate_to = {"backend"};
  incident.respond_within_s = 900;
  incident.next_update_at = kTime + kDayUs;
  incident.muted_by = "deploy freeze";
  incident.acknowledged_by = "ana";
  incident.timeline = {{kTime + kMinuteUs, "act-1", "ana", "acknowledged", "rolling back"}};
  incident.merged_into = "00112233445566778899aabbccddeeff";
  incident.partial = true;
  incident.pages = 3;
  if (format < 6) {
    // What was not kept.
    incident.levels = {{.level = 2, .at = kNoTime, .paged_at = kNoTime}};
    return incident;
  }
  incident.beside = {"INC-2026-006"};
  incident.levels = {{.level = 3, .at = kTime, .paged_at = kNoTime},
                     {.level = 2, .at = kTime + kPane, .paged_at = kTime + kPane}};
  return incident;
}

SignalImpact MakeImpact(const Signal& signal) {
  return {.signal = signal.id,
          .total = 100,
          .failed = 40,
          .failed_transactions = 4,
          .failed_amount = 12.5,
          .failed_users = Users(20),
          .capped = true};
}

ImpactTally MakeTally(int format) {
  ImpactTally tally;
  for (const char* service : {"api", "web"}) {
    const Signal signal = MakeSignal(format, service);
    tally.Add(signal, MakeImpact(signal));
  }
  return tally;
}

IncidentRecord MakeRecord(int format) {
  IncidentRecord record;
  record.sequence = 7;
  record.incident = MakeIncident(format);
  record.titles = {"errors of api", "errors of web"};
  record.firing = {record.incident.signals[0].id, HashBytes("unlisted")};
  record.opened_tick = kTime;
  record.quiet_since = kTime + kMinuteUs;
  record.triggered_level = 2;
  record.triggered_at = kTime + kPane;
  record.escalation_step = 1;
  record.escalated = {"cto"};
  record.acknowledged_until = kTime + kDayUs;
  record.refired = 2;
  record.resolved_by_person = true;
  record.rolled_back_at = kTime + 2 * kMinuteUs;
  record.roll_back = "Roll back api v2";
  record.tally = MakeTally(format);
  // Format 5 did not keep it: when the last signal fired.
  record.worsened_at = format < 6 ? kTime : kTime + 2 * kPane;
  return record;
}

Silence MakeSilence(int format) {
  static_cast<void>(format);
  return {.name = "freeze",
          .matchers = {"service=api", "env=~prod|staging"},
          .starts = kTime,
          .ends = kTime + kHourUs,
          .every = kDayUs,
          .author = "ana",
          .comment = "moving the disk"};
}

OperatorAction MakeAction(int format, OperatorActionKind kind) {
  OperatorAction act;
  act.kind = kind;
  act.id = "act-1";
  act.incident = HashBytes("incident");
  act.author = "ana";
  act.text = "rolling back";
  act.until = kTime + kHourUs;
  if (kind == OperatorActionKind::kSilence) act.silence = MakeSilence(format);
  return act;
}

Delivery MakeDelivery(int format) {
  static_cast<void>(format);
  Delivery delivery;
  delivery.sink = "oncall";
  delivery.incident = HashBytes("incident");
  delivery.level = 2;
  delivery.action = NotificationAction::kResolve;
  delivery.id = DeliveryId("oncall", delivery.incident, 2, delivery.action);
  delivery.sequence = 17;
  delivery.after_trigger_of_level = 1;
  delivery.dedup_key = Incident::DedupKey(delivery.incident, 2);
  delivery.payload = R"({"incident":"x"})";
  delivery.tick = kTime;
  delivery.state = DeliveryState::kParked;
  delivery.attempts = 4;
  delivery.echoed = true;
  delivery.last_error = "400 Bad Request";
  delivery.receipt = "ticket 12";
  return delivery;
}

Event MakeEvent(EventType type) {
  Event event;
  event.time = kTime + kSecondUs;
  event.type = type;
  event.Set(Field::kEnv, "prod");
  event.Set(Field::kService, "api");
  event.Set(Field::kDependency, "orders-db");
  event.Set(Field::kUser, "ann");
  event.Set(Field::kVersion, "v2");
  event.Set(Field::kName, "release");
  event.value = 85;
  event.limit = 100;
  event.status = 500;
  event.Normalize();
  return event;
}

Fact MakeFact(int format) {
  static_cast<void>(format);
  Fact fact = Fact::FromEvent(MakeEvent(EventType::kDeploy));
  fact.cvss = 7.5;
  fact.state = AlarmState::kAlarm;
  fact.outcome = Outcome::kFailure;
  fact.labels = {{"team", "core"}};
  return fact;
}

DeployLog MakeDeploys() {
  DeployLog deploys;
  deploys.Add({.time = kTime, .service = "api", .version = "v2", .rollback = false});
  deploys.Add({.time = kTime + kMinuteUs, .service = "api", .version = "v1", .rollback = true});
  return deploys;
}

CallLog MakeCalls() {
  CallLog calls;
  calls.Add({.service = "api", .dependency = "orders-db"}, kTime);
  return calls;
}

// ---- what is driven ----

// Of every measure that a pane can hold.
struct Batches {
  Batches() {
    SeriesSpec spec;
    spec.by = {*FieldRef::Parse("service")};
    spec.measures = {Measure::Count(),
                     Measure::CountFailed(),
                     Measure::FailedAmount(),
                     Measure::Gauge(),
                     Measure::Counters(),
                     Measure::Histogram(),
                     Measure::Distinct(Field::kUser),
                     Measure::TopK(Field::kUser, 4)};
    plan = Plan::Compile(
        {.scope = {*FieldRef::Parse("env")}, .inputs = {{"app", kPane}}, .pane = kPane}, {spec});
  }
  PaneBatch Batch() const {
    PaneBatch batch;
    batch.source = "app/0";
    batch.first_tick = kTime;
    batch.tick = kTime + kPane;
    batch.last = true;
    for (std::uint32_t i = 0; i < plan.aggregations().size(); ++i) {
      PaneTable table(&plan.aggregations()[i].layout);
      for (const char* service : {"api", "web"}) {
        Event event = MakeEvent(EventType::kTransaction);
        event.amount = 12.5;
        event.duration = 20'000;
        event.Set(Field::kService, service);
        table.Accumulate(table.Row(Key({"prod", service})), event);
      }
      batch.tables.emplace_back(i, std::move(table));
    }
    batch.facts = {MakeFact(5)};
    return batch;
  }
  Plan plan;
};

std::string Joined(const std::vector<std::string>& chunks) {
  ByteWriter out;
  for (const std::string& chunk : chunks) out.Bytes(chunk);
  return out.Take();
}

// An hour of two services and a pool, one service failing, in the engine.
class Engine {
 public:
  Engine() : setup_(EngineSetup::From(kYaml)) { decider_ = New(); }

  void Run() {
    Append(EncodeControl({.sources = {"app/0", "app/1"}}));
    OperatorAction act = MakeAction(5, OperatorActionKind::kSilence);
    Append(EncodeControl({.kind = ControlRecord::Kind::kAct, .act = act}));
    for (int i = 1; i <= 40; ++i) {
      for (const char* source : {"app/0", "app/1"}) {
        if (i == 40 && source[4] == '1') break;  // what is ahead stays pending
        Append(EncodeBatch(Batch(source, i), setup_->plan)[0]);
      }
      Decision decision;
      while (decider_->Step(&decision)) {
      }
    }
  }
  std::unique_ptr<Decider> New() const {
    return std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                     SequentialExecutor());
  }
  const EngineSetup& setup() const { return *setup_; }
  Decider& decider() { return *decider_; }

 private:
  void Append(const std::string& record) { decider_->Append(record).IgnoreError(); }
  PaneBatch Batch(const char* source, int i) const {
    PaneBatch batch;
    batch.source = source;
    batch.tick = kTime + i * kPane;
    if (i > 1) batch.first_tick = batch.tick;
    for (std::uint32_t index = 0; index < setup_->plan.aggregations().size(); ++index) {
      const Aggregation& aggregation = setup_->plan.aggregations()[index];
      PaneTable table(&aggregation.layout);
      for (const EventType type : {EventType::kRequest, EventType::kMetric, EventType::kQuery}) {
        Event event = MakeEvent(type);
        event.status = i >= 20 ? 500 : 200;
        event.weight = 20;
        event.Normalize();
        if (!aggregation.where.Matches(event)) continue;
        std::string key;
        std::array<char, 12> scratch;
        for (const FieldRef& field : aggregation.by) {
          AppendKeyPart(field.Get(event, scratch), &key);
        }
        table.Accumulate(table.Row(key), event);
      }
      if (table.rows() > 0) batch.tables.emplace_back(index, std::move(table));
    }
    if (i == 10) batch.facts = {MakeFact(5)};
    return batch;
  }

  std::unique_ptr<EngineSetup> setup_;
  std::unique_ptr<Decider> decider_;
};

// A little of everything, quiet first and then bad, for any kind of detector.
std::unique_ptr<SeriesState> DrivenState(const DetectorSetup& setup) {
  auto state = setup.detector().NewSeries();
  for (int i = 0; i < 40; ++i) {
    const bool bad = i >= 30;
    PaneTable table = setup.NewTable();
    for (const EventType type :
         {EventType::kRequest, EventType::kQuery, EventType::kConnection, EventType::kAuth,
          EventType::kSession, EventType::kTransaction, EventType::kMetric, EventType::kLog,
          EventType::kCheck, EventType::kAlarm}) {
      Event event = MakeEvent(type);
      event.time = kTime + i * kPane + kSecondUs;
      event.status = bad ? 500 : 200;
      event.outcome = bad ? Outcome::kFailure : Outcome::kSuccess;
      event.state = bad ? AlarmState::kAlarm : AlarmState::kOk;
      event.duration = bad ? 900'000 : 20'000;
      event.value = bad ? 95 + i : 40 + i;
      event.weight = bad ? 40 : 20;
      event.Set(Field::kClientIp, bad ? "10.9.9.9" : "10.0.0.1");
      event.Set(Field::kUserAgent, "agent/1");
      event.Set(Field::kEndpoint, "/orders");
      event.Set(Field::kMessage, "connection refused");
      event.Set(Field::kUnit, i % 2 == 0 ? "a" : "b");
      event.Normalize();
      setup.Accumulate(event, &table);
    }
    PaneContext pane;
    pane.start = kTime + i * kPane;
    pane.end = pane.start + kPane;
    pane.tick = pane.end + kPane;
    pane.firing = i >= 35;
    if (i >= 25) pane.deployed_at = kTime + 24 * kPane;
    state->Update(pane, setup.Cells(table));
  }
  return state;
}

// ---- the list ----

struct Case {
  std::string name;
  bool driven = false;
  int version = 1;
  std::function<std::string(int format)> encode;
  // Marks `in` as failed where it cannot be read.
  std::function<std::string(ByteReader* in)> again;
};

template <typename T>
Case Value(std::string name, std::function<T(int)> make) {
  return {.name = std::move(name),
          .driven = false,
          .version = 1,
          .encode = [make](int format) { return Encoded(make(format)); },
          .again = [](ByteReader* in) { return Encoded(T::Decode(in)); }};
}

// Of a class that decodes into itself.
template <typename T>
std::string DecodedInto(T* value, ByteReader* in) {
  value->Decode(in);
  return Encoded(*value);
}

void AddValues(std::vector<Case>* cases) {
  cases->push_back(Value<Signal>("signal", [](int format) { return MakeSignal(format); }));
  cases->push_back(Value<Incident>("incident", MakeIncident));
  cases->push_back(Value<ImpactTally>("impact-tally", MakeTally));
  cases->push_back(Value<IncidentRecord>("incident-record", MakeRecord));
  cases->push_back(Value<Silence>("silence", MakeSilence));
  for (int kind = 0; kind <= static_cast<int>(OperatorActionKind::kExpire); ++kind) {
    const auto of = static_cast<OperatorActionKind>(kind);
    cases->push_back(Value<OperatorAction>("act-" + std::string(OperatorActionKindName(of)),
                                           [of](int format) { return MakeAction(format, of); }));
  }
  cases->push_back(Value<Delivery>("delivery", MakeDelivery));
  cases->push_back(Value<Fact>("fact", MakeFact));
  cases->push_back(Value<DeployLog>("deploys", [](int) { return MakeDeploys(); }));
  cases->push_back(Value<CallLog>("calls", [](int) { return MakeCalls(); }));
  cases->push_back(Value<HyperLogLog>("distinct", [](int) { return Users(20); }));
  cases->push_back(Value<HyperLogLog>("distinct-many", [](int) { return Users(5'000); }));
  cases->push_back(Value<SpaceSaving>("top", [](int) {
    SpaceSaving top(4);
    for (int i = 0; i < 20; ++i) top.Add("key " + std::to_string(i % 6), i + 1);
    return top;
  }));
}

void AddBatches(std::vector<Case>* cases) {
  const auto batches = std::make_shared<Batches>();
  cases->push_back(
      {.name = "batch",
       .driven = false,
       .version = 1,
       .encode = [batches](int) { return Joined(EncodeBatch(batches->Batch(), batches->plan)); },
       .again = [batches](ByteReader* in) -> std::string {
         const absl::StatusOr<Chunk> chunk = DecodeChunk(in->Bytes());
         if (!chunk.ok()) return in->Fail(), "";
         const absl::StatusOr<PaneBatch> batch = DecodeContent(*chunk, chunk->bytes, batches->plan);
         if (!batch.ok()) return in->Fail(), "";
         return Joined(EncodeBatch(*batch, batches->plan));
       }});
  for (int kind = 0; kind <= static_cast<int>(ControlRecord::Kind::kAct); ++kind) {
    cases->push_back({.name = "control-" + std::to_string(kind),
                      .driven = false,
                      .encode =
                          [kind](int format) {
                            ControlRecord record;
                            record.kind = static_cast<ControlRecord::Kind>(kind);
                            record.tick = kTime;
                            record.sources = {"app/0", "app/1"};
                            if (record.kind == ControlRecord::Kind::kAct) {
                              record.sources.clear();
                              record.act = MakeAction(format, OperatorActionKind::kNote);
                            }
                            return Joined({EncodeControl(record)});
                          },
                      .again = [](ByteReader* in) -> std::string {
                        const absl::StatusOr<Chunk> chunk = DecodeChunk(in->Bytes());
                        if (!chunk.ok()) return in->Fail(), "";
                        const absl::StatusOr<ControlRecord> record = DecodeControl(*chunk);
                        if (!record.ok()) return in->Fail(), "";
                        return Joined({EncodeControl(*record)});
                      }});
  }
}

void AddEngine(std::vector<Case>* cases) {
  const auto engine = std::make_shared<Engine>();
  engine->Run();
  const auto add = [&](std::string name, std::string bytes,
                       std::function<std::string(ByteReader*)> again) {
    cases->push_back({.name = std::move(name),
                      .driven = true,
                      .version = 1,
                      .encode = [bytes = std::move(bytes)](int) { return bytes; },
                      .again = std::move(again)});
  };
  add("snapshot", engine->decider().Encode(), [engine](ByteReader* in) -> std::string {
    const std::unique_ptr<Decider> decider = engine->New();
    const std::string_view state = in->Raw(in->remaining());
    if (!decider->Restore(state).ok() || !decider->lost().empty()) return in->Fail(), "";
    return decider->Encode();
  });
  add("sources", Encoded(engine->decider().assembler()), [engine](ByteReader* in) {
    TickAssembler assembler(&engine->setup().plan);
    return DecodedInto(&assembler, in);
  });
  add("incidents", Encoded(engine->decider().correlator()), [engine](ByteReader* in) {
    Correlator correlator(engine->setup().config);
    return DecodedInto(&correlator, in);
  });
  PageGrouper folder(&engine->setup().config.routes);
  for (int i = 0; i < 8; ++i) {
    Notification page;
    page.level = 2;
    page.tick = kTime + i * kPane;
    page.incident = MakeIncident(5);
    page.incident.id = HashBytes(std::to_string(i));
    std::vector<Notification> notifications = {page};
    folder.Fold(page.tick, &notifications);
  }
  add("folds", Encoded(folder), [engine](ByteReader* in) {
    PageGrouper again(&engine->setup().config.routes);
    return DecodedInto(&again, in);
  });
  SeriesLimitAlarm alarm(&engine->setup().config);
  std::vector<TitledChange> changes;
  alarm.Step({.tick = kTime, .partial = false, .over = {{Key({"prod"}), "errors"}}}, &changes);
  add("series-limit", Encoded(alarm), [engine](ByteReader* in) {
    SeriesLimitAlarm again(&engine->setup().config);
    return DecodedInto(&again, in);
  });
}

void AddDetectors(std::vector<Case>* cases) {
  for (const std::string& stanza : ExampleStanzas()) {
    ErrorList errors;
    const auto setup = std::make_shared<DetectorSetup>(MakeDetector(stanza, &errors));
    cases->push_back({.name = "state-" + KindOf(stanza) + "-" + setup->detector().common().name,
                      .driven = true,
                      .version = setup->detector().StateVersion(),
                      .encode = [setup](int) { return Encoded(*DrivenState(*setup)); },
                      .again =
                          [setup](ByteReader* in) {
                            const std::unique_ptr<SeriesState> state =
                                setup->detector().NewSeries();
                            return DecodedInto(state.get(), in);
                          }});
  }
}

const std::vector<Case>& Cases() {
  static const std::vector<Case>* const cases = [] {
    auto* all = new std::vector<Case>;
    AddValues(all);
    AddBatches(all);
    AddEngine(all);
    AddDetectors(all);
    return all;
  }();
  return *cases;
}

}  // namespace

std::string CannedYaml() { return kYaml; }

std::vector<CannedEncoding> CannedEncodings(int format) {
  std::vector<CannedEncoding> encodings;
  for (const Case& one : Cases()) {
    encodings.push_back({one.name, one.driven, one.version, one.encode(format)});
  }
  return encodings;
}

std::optional<std::string> Reencoded(std::string_view name, std::string_view bytes, int format) {
  for (const Case& one : Cases()) {
    if (one.name != name) continue;
    ByteReader in(bytes, format);
    std::string again = one.again(&in);
    return in.Done() ? std::optional<std::string>(std::move(again)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace tocsin::testing
