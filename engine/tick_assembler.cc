#include "engine/tick_assembler.h"

#include <algorithm>
#include <iterator>

#include "core/status_macros.h"

namespace tocsin {
namespace {

// Chunks of a batch that never becomes complete (its sender died) are dropped past this many.
constexpr std::size_t kIncompleteMax = 1'024;
// A batch of 200,000 rich series is about 600 MB; more chunks than it needs are an attack.
constexpr std::uint32_t kChunksMax = 1'024;
// An ended source is remembered this long, to recognise what it sends again.
constexpr DurationUs kEndedMemory = kWeekUs;
// Plans of earlier configurations whose batches may still be in the log.
constexpr std::size_t kPlansMax = 8;

}  // namespace

TickAssembler::TickAssembler(const Plan* plan) : plan_(plan) {}

void TickAssembler::Know(const PlanDescription& plan) {
  const Hash128 hash = plan.Hash();
  if (hash == plan_->hash()) return;
  std::erase_if(plans_, [&](const KnownPlan& known) { return known.hash == hash; });
  plans_.push_back({hash, plan, PlanTranslation::Between(plan, plan_)});
  if (plans_.size() > kPlansMax) plans_.erase(plans_.begin());
}

absl::StatusOr<PaneBatch> TickAssembler::DecodeBatch(const Chunk& header,
                                                     std::string_view content) const {
  for (const KnownPlan& known : plans_) {
    if (known.hash == header.plan && known.translation != nullptr) {
      return known.translation->Decode(header, content);
    }
  }
  return DecodeContent(header, content, *plan_);
}

absl::Status TickAssembler::Append(std::string_view record) {
  TOCSIN_ASSIGN_OR_RETURN(const Chunk chunk, DecodeChunk(record));
  if (chunk.control) {
    TOCSIN_ASSIGN_OR_RETURN(const ControlRecord control, DecodeControl(chunk));
    Apply(control);
    return absl::OkStatus();
  }
  const auto source = sources_.find(chunk.source);
  if (source != sources_.end() && source->second.reported != kNoTime &&
      chunk.tick <= source->second.reported) {
    ++duplicates_;
    if (chunk.last) source->second.ended = true;
    return absl::OkStatus();
  }
  if (chunk.count == 1) {
    TOCSIN_ASSIGN_OR_RETURN(PaneBatch batch, DecodeBatch(chunk, chunk.bytes));
    AppendBatch(std::move(batch));
    return absl::OkStatus();
  }
  return AppendChunk(chunk);
}

absl::Status TickAssembler::AppendChunk(const Chunk& chunk) {
  if (chunk.count > kChunksMax) return absl::DataLossError("pane batch has too many chunks");
  const ContentId id = {.source = chunk.source, .tick = chunk.tick, .hash = chunk.content_hash};
  if (incomplete_.size() >= kIncompleteMax && !incomplete_.contains(id)) {
    incomplete_.erase(incomplete_.begin());
  }
  Partial& partial = incomplete_[id];
  if (partial.chunks.empty()) partial.chunks.resize(chunk.count);
  if (partial.chunks.size() != chunk.count) {
    return absl::DataLossError("pane batch changes its number of chunks");
  }
  std::string& slot = partial.chunks[chunk.index];
  if (slot.empty()) {
    slot = std::string(chunk.bytes);
    ++partial.have;
  }
  if (partial.have < chunk.count) return absl::OkStatus();
  std::string content;
  for (const std::string& part : partial.chunks) content += part;
  incomplete_.erase(id);
  TOCSIN_ASSIGN_OR_RETURN(PaneBatch batch, DecodeBatch(chunk, content));
  AppendBatch(std::move(batch));
  return absl::OkStatus();
}

void TickAssembler::AppendBatch(PaneBatch batch) {
  Source& source = sources_[batch.source];
  if (source.reported == kNoTime) {
    source.first = batch.tick;
  } else if (batch.first_tick != kNoTime && batch.first_tick > source.reported + plan_->pane()) {
    // A batch in between is lost (only possible if its log was truncated): those ticks count as
    // empty.
    ++gaps_;
  }
  source.reported = batch.tick;
  source.ended = source.ended || batch.last;
  // Incomplete batches of dead senders can no longer become the first content.
  std::erase_if(incomplete_, [&](const auto& one) {
    return one.first.source == batch.source && one.first.tick <= batch.tick;
  });
  if (next_tick_ != kNoTime && batch.tick < next_tick_) {
    std::move(batch.facts.begin(), batch.facts.end(), std::back_inserter(late_facts_));
  } else if (!batch.tables.empty() || !batch.facts.empty()) {
    pending_[batch.tick].emplace(batch.source, std::move(batch));
  }
}

void TickAssembler::Apply(const ControlRecord& record) {
  if (record.act) acts_.push_back(*record.act);
  for (const std::string& name : record.sources) {
    const bool known = sources_.contains(name);
    Source& source = sources_[name];
    switch (record.kind) {
      case ControlRecord::Kind::kExpect:
        // An ended source that returns is expected from this tick on.
        if (!known || source.ended) source.expected_from = record.tick;
        source.ended = false;
        break;
      case ControlRecord::Kind::kExclude:
        source.excluded_from = record.tick;
        source.rejoins_at = INT64_MAX;
        break;
      case ControlRecord::Kind::kRejoin:
        source.rejoins_at = record.tick;
        break;
      case ControlRecord::Kind::kRetire:
        source.ended = true;
        break;
      case ControlRecord::Kind::kAct:
        break;  // concerns no source
    }
  }
}

bool TickAssembler::Start() {
  TimeUs first = INT64_MAX;
  for (const auto& [name, source] : sources_) {
    // A source that ended without a record says nothing about where to start.
    const bool silent = source.first == 0 && source.ended;
    if (source.reported != kNoTime && !silent) first = std::min(first, source.first);
  }
  if (first == INT64_MAX) return false;
  for (const auto& [name, source] : sources_) {
    // Ended sources, those that join later, and those excluded from the beginning are not waited
    // for.
    if (source.ended || source.expected_from > first || source.ExcludedAt(first)) continue;
    if (source.reported == kNoTime) return false;
  }
  next_tick_ = first;
  return true;
}

bool TickAssembler::Next(AssembledTick* out) {
  if (sources_.empty() || (next_tick_ == kNoTime && !Start()) || Finished()) return false;
  const TimeUs tick = next_tick_;
  bool partial = false;
  bool reported = false;
  for (const auto& [name, source] : sources_) {
    if (source.reported != kNoTime && source.reported >= tick) {
      reported = true;
    } else if (source.expected_from <= tick && !source.ended) {
      if (!source.ExcludedAt(tick)) return false;
      partial = true;
    }
  }
  // If every source has ended or is excluded, no tick is emitted.
  if (!reported) return false;
  out->tick = tick;
  out->partial = partial;
  out->facts = std::move(late_facts_);
  late_facts_.clear();
  out->tables.clear();
  out->tables.resize(plan_->aggregations().size());
  Merge(tick, out);
  std::stable_sort(out->facts.begin(), out->facts.end(), FactBefore);
  next_tick_ += plan_->pane();
  // Once an hour of the log's time, so that forgetting does not depend on restarts.
  if (FloorTo(next_tick_, kHourUs) > FloorTo(tick, kHourUs)) ForgetEnded();
  return true;
}

void TickAssembler::ForgetEnded() {
  forgotten_ += static_cast<std::int64_t>(std::erase_if(sources_, [this](const auto& one) {
    const Source& source = one.second;
    return source.ended && source.reported < next_tick_ - kEndedMemory;
  }));
}

TickAssembler TickAssembler::BeforeReports() const {
  TickAssembler fresh(plan_);
  fresh.plans_ = plans_;
  for (const auto& [name, source] : sources_) {
    Source& copy = fresh.sources_[name];
    copy = source;
    copy.reported = copy.first = kNoTime;
  }
  return fresh;
}

void TickAssembler::Merge(TimeUs tick, AssembledTick* out) {
  const auto found = pending_.find(tick);
  if (found == pending_.end()) return;
  for (auto& [name, batch] : found->second) {
    for (auto& [aggregation, table] : batch.tables) {
      std::optional<PaneTable>& merged = out->tables[aggregation];
      if (merged) {
        merged->Merge(table);
      } else {
        merged = std::move(table);
      }
    }
    std::move(batch.facts.begin(), batch.facts.end(), std::back_inserter(out->facts));
  }
  pending_.erase(found);
}

bool TickAssembler::Finished() const {
  for (const auto& [name, source] : sources_) {
    if (!source.ended) return false;
    if (source.reported != kNoTime && next_tick_ != kNoTime && source.reported >= next_tick_) {
      return false;
    }
    if (next_tick_ == kNoTime && source.reported != kNoTime && source.first != 0) return false;
  }
  return !sources_.empty();
}

std::vector<std::string> TickAssembler::Sources() const {
  std::vector<std::string> names;
  for (const auto& [name, source] : sources_) {
    if (!source.ended) names.push_back(name);
  }
  return names;
}

std::vector<std::string> TickAssembler::Missing() const {
  std::vector<std::string> missing;
  for (const auto& [name, source] : sources_) {
    if (source.ended) continue;
    const bool waited_for =
        next_tick_ == kNoTime ? source.reported == kNoTime
                              : source.expected_from <= next_tick_ &&
                                    (source.reported == kNoTime || source.reported < next_tick_) &&
                                    !source.ExcludedAt(next_tick_);
    if (waited_for) missing.push_back(name);
  }
  return missing;
}

void TickAssembler::Encode(ByteWriter* out) const {
  // Include our own plan, because the reader may have another one.
  out->Varint(plans_.size() + 1);
  for (const KnownPlan& known : plans_) known.description.Encode(out);
  plan_->Describe().Encode(out);
  out->Signed(next_tick_);
  out->Varint(sources_.size());
  for (const auto& [name, source] : sources_) {
    out->Bytes(name);
    out->Signed(source.expected_from);
    out->Signed(source.reported);
    out->Signed(source.first);
    out->Bool(source.ended);
    out->Signed(source.excluded_from);
    out->Signed(source.rejoins_at);
  }
  std::size_t batches = 0;
  for (const auto& [tick, by_source] : pending_) batches += by_source.size();
  out->Varint(batches);
  for (const auto& [tick, by_source] : pending_) {
    for (const auto& [name, batch] : by_source) {
      const std::vector<std::string> chunks = EncodeBatch(batch, *plan_);
      out->Varint(chunks.size());
      for (const std::string& chunk : chunks) out->Bytes(chunk);
    }
  }
  out->Varint(incomplete_.size());
  for (const auto& [id, partial] : incomplete_) {
    out->Bytes(id.source);
    out->Signed(id.tick);
    out->Fixed64(id.hash.high);
    out->Fixed64(id.hash.low);
    out->Varint(partial.chunks.size());
    for (const std::string& chunk : partial.chunks) out->Bytes(chunk);
  }
  out->Varint(late_facts_.size());
  for (const Fact& fact : late_facts_) fact.Encode(out);
}

void TickAssembler::Decode(ByteReader* in) {
  if (in->format() >= 6) {
    for (std::size_t i = in->Count(3); i > 0 && in->ok(); --i) Know(PlanDescription::Decode(in));
  }
  next_tick_ = in->Signed();
  // The length of a pane may have changed since.
  if (next_tick_ != kNoTime) next_tick_ = CeilTo(next_tick_, plan_->pane());
  for (std::size_t i = in->Count(7); i > 0 && in->ok(); --i) {
    Source& source = sources_[std::string(in->Bytes())];
    source.expected_from = in->Signed();
    source.reported = in->Signed();
    source.first = in->Signed();
    source.ended = in->Bool();
    source.excluded_from = in->Signed();
    source.rejoins_at = in->Signed();
  }
  for (std::size_t i = in->Count(); i > 0 && in->ok(); --i) {
    std::string content;
    absl::StatusOr<Chunk> header = absl::DataLossError("no chunk");
    for (std::size_t n = in->Count(); n > 0 && in->ok(); --n) {
      header = DecodeChunk(in->Bytes());
      if (header.ok()) content += header->bytes;
    }
    if (!header.ok()) {
      in->Fail();
      return;
    }
    absl::StatusOr<PaneBatch> batch = DecodeBatch(*header, content);
    // Batches of a plan with another pane length cannot be read; the caller reports the change.
    if (batch.ok()) pending_[batch->tick].emplace(batch->source, *std::move(batch));
  }
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    ContentId id;
    id.source = std::string(in->Bytes());
    id.tick = in->Signed();
    id.hash.high = in->Fixed64();
    id.hash.low = in->Fixed64();
    Partial& partial = incomplete_[id];
    for (std::size_t n = in->Count(); n > 0 && in->ok(); --n) {
      partial.chunks.emplace_back(in->Bytes());
      if (!partial.chunks.back().empty()) ++partial.have;
    }
  }
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    late_facts_.push_back(Fact::Decode(in));
  }
}

}  // namespace tocsin
