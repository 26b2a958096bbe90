#include "tests/detectors/harness.h"

#include <gtest/gtest.h>

#include <set>

namespace tocsin {
namespace {

void ExpectSame(const Reading& a, const Reading& b) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    EXPECT_EQ(a.level[slot].verdict, b.level[slot].verdict);
    EXPECT_EQ(a.level[slot].value, b.level[slot].value);
    EXPECT_EQ(a.level[slot].threshold, b.level[slot].threshold);
    EXPECT_EQ(a.level[slot].covers, b.level[slot].covers);
  }
  EXPECT_EQ(a.suspicious, b.suspicious);
  EXPECT_EQ(a.began, b.began);
}

}  // namespace

std::vector<std::string> ErrorsOf(const std::string& yaml) {
  ErrorList errors;
  const bool refused = MakeDetector(yaml, &errors) == nullptr;
  EXPECT_EQ(refused, !errors.empty());
  std::vector<std::string> texts;
  for (const ConfigError& error : errors.Sorted()) texts.push_back(error.ToString());
  return texts;
}

Event Request(bool failed, DurationUs duration) {
  Event event;
  event.type = EventType::kRequest;
  event.status = failed ? 500 : 200;
  event.duration = duration;
  event.Set(Field::kEndpoint, "/orders");
  event.Set(Field::kVersion, "v1");
  event.Normalize();
  return event;
}

Event GaugeSample(double value, std::optional<double> limit) {
  Event event;
  event.type = EventType::kMetric;
  event.value = value;
  event.limit = limit;
  event.Normalize();
  return event;
}

Event LogLine(std::string_view message) {
  Event event;
  event.type = EventType::kLog;
  event.Set(Field::kMessage, message);
  event.Normalize();
  return event;
}

Event Connection(std::string_view address, std::string_view agent) {
  Event event;
  event.type = EventType::kConnection;
  event.action = ConnectionAction::kOpen;
  event.Set(Field::kClientIp, address);
  event.Set(Field::kUserAgent, agent);
  event.Normalize();
  return event;
}

Event Login(const std::string& address, bool failed) {
  static auto* const addresses = new std::set<std::string>;
  Event event;
  event.type = EventType::kAuth;
  event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
  event.Set(Field::kClientIp, *addresses->insert(address).first);
  event.Normalize();
  return event;
}

Event Session(bool crashed, std::string_view version, std::string_view exception) {
  Event event;
  event.type = EventType::kSession;
  event.outcome = crashed ? Outcome::kFailure : Outcome::kSuccess;
  event.Set(Field::kVersion, version);
  event.Set(Field::kException, exception);
  event.Normalize();
  return event;
}

Event Payment(bool failed) {
  Event event;
  event.type = EventType::kTransaction;
  event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
  event.Set(Field::kName, "payment");
  event.Normalize();
  return event;
}

Harness::Harness(const std::string& yaml, const DetectorEnvironment& environment) {
  ErrorList errors;
  std::unique_ptr<Detector> detector = MakeDetector(yaml, &errors, environment);
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  setup_ = std::make_unique<DetectorSetup>(std::move(detector));
  series_.emplace(setup_.get());
}

Reading Harness::Pane(std::vector<Event> events) {
  PaneContext pane;
  pane.start = kStart + now_ * kPane;
  pane.end = pane.start + kPane;
  pane.tick = pane.end + 10 * kSecondUs;
  pane.partial = partial;
  pane.recent_deploy = recent_deploy;
  pane.deployed_at = deployed_at;
  pane.others_alive = others_alive;
  const DetectorSetup* explaining = setup_->explaining();
  PaneTable table = setup_->NewTable();
  std::optional<PaneTable> explaining_table;
  if (explaining != nullptr) explaining_table.emplace(explaining->NewTable());
  for (Event& event : events) {
    event.time = pane.start + kSecondUs;
    setup_->Accumulate(event, &table);
    if (explaining != nullptr) explaining->Accumulate(event, &*explaining_table);
  }
  const SpecCells cells = setup_->Cells(table);
  const SpecCells rows = explaining == nullptr ? SpecCells() : explaining->Cells(*explaining_table);
  std::optional<SeriesDriver> copy;
  if (check_copy) {
    copy = series_->Copy();
    EXPECT_TRUE(copy) << "pane " << now_;
  }
  const auto [reading, change] = series_->Update(pane, cells, rows);
  if (copy) {
    const SeriesDriver::Step again = copy->Update(pane, cells, rows);
    ExpectSame(again.reading, reading);
    EXPECT_EQ(again.change.has_value(), change.has_value());
    EXPECT_EQ(copy->state().Explain(), series_->state().Explain());
    EXPECT_EQ(copy->state().Classification(), series_->state().Classification());
    EXPECT_EQ(copy->Encoded(), series_->Encoded()) << "pane " << now_;
    EXPECT_EQ(copy->EncodedRule(), series_->EncodedRule()) << "pane " << now_;
  }
  if (change) {
    OnsetInterval began = change->began;
    if (began.known()) began = {began.earliest - kStart, began.latest - kStart};
    changes_.push_back({.kind = change->kind,
                        .slot = change->slot,
                        .pane = now_,
                        .onset = static_cast<int>((change->onset - kStart) / kPane),
                        .value = reading.level[static_cast<std::size_t>(change->slot)].value,
                        .classification = series_->state().Classification(),
                        .began = began});
  }
  ++now_;
  return reading;
}

void Harness::Requests(int panes, int bad, int total) {
  for (int i = 0; i < panes; ++i) {
    std::vector<Event> events(static_cast<std::size_t>(total), Request(false));
    for (int k = 0; k < bad; ++k) events[static_cast<std::size_t>(k)] = Request(true);
    Pane(std::move(events));
  }
}

void Harness::RequestsPerMinute(int panes, int bad_per_minute, int per_minute) {
  std::int64_t bad_left = 0, total_left = 0;
  for (int i = 0; i < panes; ++i) {
    bad_left += bad_per_minute;
    total_left += per_minute;
    Requests(1, static_cast<int>(bad_left / kMinute), static_cast<int>(total_left / kMinute));
    bad_left %= kMinute;
    total_left %= kMinute;
  }
}

std::vector<int> Harness::fired() const {
  std::vector<int> panes;
  for (const Change& change : changes_) {
    if (change.kind == SignalChangeKind::kFired) panes.push_back(change.pane);
  }
  return panes;
}

std::optional<int> Harness::FiredAt(int slot) const {
  for (const Change& change : changes_) {
    if (change.kind != SignalChangeKind::kCleared && change.slot == slot) return change.pane;
  }
  return std::nullopt;
}

std::optional<int> Harness::ClearedAt() const {
  for (const Change& change : changes_) {
    if (change.kind == SignalChangeKind::kCleared) return change.pane;
  }
  return std::nullopt;
}

std::string Harness::EvidenceOf(const std::string& kind, const std::string& name) const {
  for (const Evidence& evidence : series_->state().Explain()) {
    if (evidence.kind == kind && evidence.name == name) return evidence.json;
  }
  return "";
}

std::string Harness::Encoded() const { return series_->Encoded(); }

}  // namespace tocsin
