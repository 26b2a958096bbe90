#include "tests/detectors/series_driver.h"

#include <utility>

#include "core/check.h"

namespace tocsin {
namespace {

SeriesSpec SpecOf(const Detector* detector) {
  TOCSIN_CHECK(detector != nullptr);
  return detector->Spec();
}

}  // namespace

std::unique_ptr<Detector> MakeDetector(const std::string& yaml, ErrorList* errors,
                                       const DetectorEnvironment& environment) {
  DetectorConfig stanza;
  stanza.node = ParseYaml(yaml, "test.yaml", errors);
  if (const ConfigNode* name = stanza.node.Find("name")) stanza.name = name->scalar;
  if (const ConfigNode* kind = stanza.node.Find("kind")) stanza.kind = kind->scalar;
  return NewDetector(stanza, environment, errors);
}

DetectorSetup::DetectorSetup(std::unique_ptr<Detector> detector)
    : DetectorSetup(SpecOf(detector.get())) {
  detector_ = std::move(detector);
  if (const std::optional<SeriesSpec> spec = detector_->Explaining()) {
    explaining_.reset(new DetectorSetup(*spec));
  }
}

DetectorSetup::DetectorSetup(const SeriesSpec& spec) {
  where_ = spec.where;
  layout_ = TableLayout::Of(spec.measures);
  for (const Measure& measure : spec.measures) slots_.push_back(layout_.SlotOf(measure));
}

bool DetectorSetup::Accumulate(const Event& event, PaneTable* table) const {
  if (!where_.Matches(event)) return false;
  table->Accumulate(table->Row(""), event);
  return true;
}

SpecCells DetectorSetup::Cells(const PaneTable& table) const {
  SpecCells cells;
  cells.slots = &slots_;
  if (table.rows() > 0) cells.cell = table.Cell(0);
  return cells;
}

SeriesDriver::SeriesDriver(const DetectorSetup* setup)
    : setup_(setup), state_(setup->detector().NewSeries()) {}

std::optional<SeriesDriver> SeriesDriver::Copy() const {
  SeriesDriver copy(setup_);
  const std::string bytes = Encoded(), rule_bytes = EncodedRule();
  ByteReader in(bytes), rule_in(rule_bytes);
  copy.state_->Decode(&in);
  copy.rule_.Decode(&rule_in);
  if (!in.Done() || !rule_in.Done()) return std::nullopt;
  return copy;
}

SeriesDriver::Step SeriesDriver::Update(PaneContext pane, const SpecCells& cells,
                                        const SpecCells& explaining) {
  pane.firing = rule_.firing();
  if (explaining.cell.present()) state_->AddExplaining(pane, explaining);
  Step step = {.reading = state_->Update(pane, cells), .change = {}};
  step.change = rule_.Step(setup_->detector().common(), pane, step.reading);
  return step;
}

std::string SeriesDriver::Encoded() const {
  ByteWriter out;
  state_->Encode(&out);
  return out.Take();
}

std::string SeriesDriver::EncodedRule() const {
  ByteWriter out;
  rule_.Encode(&out);
  return out.Take();
}

}  // namespace tocsin
