#include "ingest/enriching_decoder.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::size_t kCachedMax = 4'096;
constexpr std::string_view kDefaultEnv = "prod";

using Row = EnrichmentTable::Row;

class EnrichingDecoder final : public Decoder, private EventSink {
 public:
  EnrichingDecoder(std::unique_ptr<Decoder> decoder, std::shared_ptr<const Enrichment> enrichment)
      : decoder_(std::move(decoder)),
        enrichment_(std::move(enrichment)),
        cache_(enrichment_->size()) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    sink_ = sink;
    decoder_->Decode(record, record_time, this);
  }
  void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) override {
    sink_ = sink;
    decoder_->DecodePadded(record, record_time, this);
  }

 private:
  void OnEvent(const Event& event) override {
    event_ = event;
    std::array<char, 12> scratch;
    for (std::size_t i = 0; i < enrichment_->size(); ++i) {
      const EnrichmentTable& table = (*enrichment_)[i];
      const std::string_view value = table.from().Get(event_, scratch);
      const Row* const row = value.empty() ? nullptr : Find(i, value);
      if (row == nullptr) continue;
      for (const auto& [field, text] : *row) Fill(field, text, table.overwrite());
    }
    sink_->OnEvent(event_);
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    sink_->OnUndecodable(bytes, reason);
  }
  void OnSkipped(std::string_view bytes, std::string_view reason) override {
    sink_->OnSkipped(bytes, reason);
  }

  const Row* Find(std::size_t table, std::string_view value) {
    if (value.size() > limits::kLabelValueBytesMax) return (*enrichment_)[table].Find(value);
    StringMap<const Row*>& known = cache_[table];
    const auto found = known.find(value);
    if (found != known.end()) return found->second;
    if (known.size() == kCachedMax) known.clear();
    return known[std::string(value)] = (*enrichment_)[table].Find(value);
  }

  void Fill(const FieldRef& field, const std::string& text, bool overwrite) {
    if (field.kind == FieldRef::Kind::kField) {
      const std::string_view value = event_.Get(field.field);
      const bool absent = value.empty() || (field.field == Field::kEnv && value == kDefaultEnv);
      if (absent || overwrite) event_.Set(field.field, text);
      return;
    }
    if (event_.labels.data() != labels_.data()) {
      std::copy(event_.labels.begin(), event_.labels.end(), labels_.begin());
    }
    const auto end = labels_.begin() + static_cast<std::ptrdiff_t>(event_.labels.size());
    const auto label = std::find_if(
        labels_.begin(), end, [&](const LabelView& each) { return each.first == field.label; });
    std::size_t size = event_.labels.size();
    if (label == end) {
      if (size < labels_.size()) labels_[size++] = {field.label, text};
    } else if (overwrite) {
      label->second = text;
    }
    event_.labels = {labels_.data(), size};
  }

  const std::unique_ptr<Decoder> decoder_;
  const std::shared_ptr<const Enrichment> enrichment_;
  std::vector<StringMap<const Row*>> cache_;  // per table
  EventSink* sink_ = nullptr;
  Event event_;
  std::array<LabelView, limits::kLabelsMax> labels_;
};

}  // namespace

std::unique_ptr<Decoder> Enrich(std::unique_ptr<Decoder> decoder,
                                std::shared_ptr<const Enrichment> enrichment) {
  if (decoder == nullptr || enrichment == nullptr || enrichment->empty()) return decoder;
  return std::make_unique<EnrichingDecoder>(std::move(decoder), std::move(enrichment));
}

}  // namespace tocsin
