#include "engine/source_partition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/labels.h"
#include "core/limits.h"
#include "core/short_text.h"
#include "ingest/sources/line_reader.h"

namespace tocsin {
namespace {

// "t2 next last_tick close_offset sent_any clock dropped idle_close live print"; t1, the format of
// the previous build, ends before `live`.
constexpr std::string_view kCommitVersion = "t2";
constexpr std::size_t kCommitWords = 10;
constexpr std::string_view kCommitVersionBefore = "t1";
constexpr std::size_t kCommitWordsBefore = 8;

// Splits at spaces; commits are short.
std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    words.push_back(text.substr(0, space));
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return words;
}

bool ParseInteger(std::string_view text, std::int64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// "offset:timestamp:bytes", or "-" if no record was read.
std::string PrintText(const std::optional<RecordPrint>& print) {
  if (!print) return "-";
  return std::to_string(print->offset) + ':' + std::to_string(print->timestamp) + ':' +
         std::to_string(print->bytes);
}

bool ParsePrint(std::string_view text, std::optional<RecordPrint>* print) {
  if (text == "-") return true;
  const std::size_t first = text.find(':');
  const std::size_t second = text.find(':', first + 1);
  if (first == text.npos || second == text.npos) return false;
  print->emplace();
  return ParseInteger(text.substr(0, first), &(*print)->offset) &&
         ParseInteger(text.substr(first + 1, second - first - 1), &(*print)->timestamp) &&
         ParseInteger(text.substr(second + 1), &(*print)->bytes);
}

bool IsOfNewerVersion(std::string_view version) {
  std::int64_t number = 0;
  std::int64_t ours = 0;
  return version.starts_with('t') && ParseInteger(version.substr(1), &number) &&
         ParseInteger(kCommitVersion.substr(1), &ours) && number > ours;
}

}  // namespace

SourceRecord RecordOf(const LineReader::Line& line) {
  return {.offset = static_cast<std::int64_t>(line.offset),
          .next_offset = static_cast<std::int64_t>(line.next_offset),
          .timestamp = line.is_read_time ? kNoTime : line.time,
          .append_time = !line.is_read_time && line.time != kNoTime,
          .read_time = line.is_read_time ? line.time : kNoTime,
          .bytes = line.text};
}

SourcePartition::SourcePartition(Options options)
    : options_(std::move(options)),
      pane_(options_.plan->pane()),
      delay_(options_.plan->InputDelay(options_.input)),
      delay_max_(options_.plan->DelayMax(options_.input)) {
  const std::vector<Aggregation>& all = options_.plan->aggregations();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].Reads(options_.input)) local_.push_back({static_cast<std::uint32_t>(i), &all[i]});
  }
  FindFiner();
  for (int type = 0; type < kEventTypes; ++type) AddChains(static_cast<EventType>(type));
}

void SourcePartition::FindFiner() {
  for (LocalAggregation& coarse : local_) {
    const auto is_better = [&](const SummedMeasures& summed) {
      // Strictly more counting spared; the first wins ties.
      return summed.pairs.size() + summed.tops.size() >
             coarse.summed.pairs.size() + coarse.summed.tops.size();
    };
    for (std::size_t i = 0; i < local_.size(); ++i) {
      SummedMeasures summed = SummedOf(*coarse.aggregation, *local_[i].aggregation);
      if (!is_better(summed)) continue;
      coarse.finer = static_cast<int>(i);
      coarse.summed = std::move(summed);
    }
  }
  for (std::uint32_t i = 0; i < local_.size(); ++i) finest_first_.push_back(i);
  std::stable_sort(finest_first_.begin(), finest_first_.end(),
                   [&](std::uint32_t a, std::uint32_t b) {
                     return local_[a].aggregation->by.size() > local_[b].aggregation->by.size();
                   });
}

void SourcePartition::AddChains(EventType type) {
  std::vector<std::uint32_t>& chains = chains_of_type_[static_cast<std::size_t>(type)];
  for (const std::uint32_t local : finest_first_) {
    if (!local_[local].aggregation->where.MatchesType(type)) continue;
    const std::vector<FieldRef>& by = local_[local].aggregation->by;
    Chain::Member member = {.local = local};
    const auto holds_finer = [&](std::uint32_t chain) {
      const std::vector<Chain::Member>& members = chains_[chain].members;
      const auto found = std::find_if(members.begin(), members.end(), [&](const auto& other) {
        return static_cast<int>(other.local) == local_[local].finer;
      });
      if (found != members.end()) member.finer = static_cast<int>(found - members.begin());
      return found != members.end();
    };
    const auto fits = [&](std::uint32_t chain) {
      return std::equal(by.begin(), by.end(), chains_[chain].by.begin());
    };
    // Join the chain of the finer aggregation, whose row decides what is left to count. That one
    // matches the same event types.
    auto chain = std::find_if(chains.begin(), chains.end(), holds_finer);
    if (chain == chains.end()) chain = std::find_if(chains.begin(), chains.end(), fits);
    if (chain == chains.end()) {
      chain = chains.insert(chain, static_cast<std::uint32_t>(chains_.size()));
      chains_.push_back({.by = by, .members = {}});
    }
    chains_[*chain].members.push_back(member);
  }
}

std::int64_t SourcePartition::next_offset() const {
  return held_.empty() ? next_offset_ : held_.front().record.offset;
}

void SourcePartition::Feed(const SourceRecord& record) {
  if (record.offset < replay_until_) {
    const bool dropped =
        std::any_of(dropped_.begin(), dropped_.end(),
                    [&](const DroppedRecord& one) { return one.offset == record.offset; });
    if (!dropped) Decode(record, Mode::kReplay);
    if (record.next_offset >= replay_until_) restored_offset_ = INT64_MAX;
    return;
  }
  restored_offset_ = INT64_MAX;
  RepeatIdleClose();
  ++counters_.records;
  counters_.bytes += static_cast<std::int64_t>(record.bytes.size());
  next_offset_ = record.next_offset;
  record_before_ = last_record_;
  last_record_ = {.offset = record.offset,
                  .timestamp = record.timestamp,
                  .bytes = static_cast<std::int64_t>(record.bytes.size())};
  if (record.timestamp != kNoTime) {
    clock_.set_trust(record.append_time ? SourceClock::Trust::kAppendTime
                                        : SourceClock::Trust::kProducerTime);
  } else if (record.read_time != kNoTime) {
    clock_.set_trust(SourceClock::Trust::kAppendTime);
  }
  Decode(record, Mode::kNormal);
}

void SourcePartition::StartOver(std::int64_t offset) {
  RepeatIdleClose();
  ReleaseHeld();
  next_offset_ = replay_until_ = close_offset_ = offset;
  restored_offset_ = INT64_MAX;
  last_record_.reset();
  dropped_.clear();
  // Records of the old log cannot be read again, so open panes no longer refer to them.
  for (OpenPane& open : panes_) open.oldest_offset = offset;
}

void SourcePartition::Decode(const SourceRecord& record, Mode mode) {
  mode_ = mode;
  record_ = record;
  record_time_ = kNoTime;
  hold_record_ = false;
  release_after_ = false;
  drop_after_ = false;
  const std::int64_t undecodable = counters_.undecodable;
  // A record with a timestamp is offered to the clock before it is decoded, one without only when
  // its first event is decoded.
  const bool decode_now = record.timestamp == kNoTime || TimeIsKnown(record.timestamp);
  if (decode_now && record.padded) {
    options_.decoder->DecodePadded(record.bytes, TimeFor(record), this);
  } else if (decode_now) {
    options_.decoder->Decode(record.bytes, TimeFor(record), this);
  }
  if (drop_after_) DropHeld();
  if (hold_record_) {
    // It is decoded again later and counted then.
    counters_.undecodable = undecodable;
    Hold(record);
  }
  if (release_after_) ReleaseHeld();
}

TimeUs SourcePartition::TimeFor(const SourceRecord& record) const {
  if (record.timestamp != kNoTime) return record.timestamp;
  if (record.read_time != kNoTime) return record.read_time;
  if (record.assumed_time == kNoTime || !clock_.started()) return record.assumed_time;
  return clock_.now();
}

bool SourcePartition::TimeIsKnown(TimeUs time) {
  record_time_ = time;
  switch (mode_) {
    case Mode::kReplay:
      // Every record that was accepted has moved the clock at least this far.
      if (time > clock_.now()) {
        mode_ = Mode::kIgnore;
        RememberDropped({.offset = record_.offset, .time = time});
      }
      return true;
    case Mode::kQuarantine:
    case Mode::kIgnore:
      return true;
    case Mode::kForced:
      AcceptTime(time);
      return true;
    case Mode::kNormal:
      break;
  }
  switch (clock_.Offer(time)) {
    case SourceClock::Decision::kAccept:
      break;
    case SourceClock::Decision::kHold:
      hold_record_ = true;
      return false;
    case SourceClock::Decision::kReleaseHeld:
      // Held records come first, so this one waits until the decoder is free.
      hold_record_ = true;
      release_after_ = true;
      return false;
    case SourceClock::Decision::kDropHeld:
      // Dropped records are only counted, which can wait until the decoder is free.
      drop_after_ = true;
      break;
  }
  AcceptTime(time);
  return true;
}

void SourcePartition::Hold(const SourceRecord& record) {
  held_.push_back({.record = record,
                   .bytes = std::string(record.bytes),
                   .time = record_time_,
                   .before = record_before_});
  held_.back().record.bytes = {};
  held_.back().record.padded = false;
}

void SourcePartition::DecodeHeld(Mode mode) {
  std::vector<HeldRecord> held = std::move(held_);
  held_.clear();
  for (HeldRecord& one : held) {
    one.record.bytes = one.bytes;
    record_before_ = one.before;
    Decode(one.record, mode);
  }
}

void SourcePartition::ReleaseHeld() { DecodeHeld(Mode::kForced); }

void SourcePartition::OfferHeldAgain() {
  clock_.ForgetHeld();
  DecodeHeld(Mode::kNormal);
}

void SourcePartition::DropHeld() {
  std::vector<HeldRecord> held = std::move(held_);
  held_.clear();
  for (HeldRecord& one : held) {
    one.record.bytes = one.bytes;
    Decode(one.record, Mode::kQuarantine);
    RememberDropped({.offset = one.record.offset, .time = record_time_});
  }
}

void SourcePartition::RememberDropped(DroppedRecord record) {
  dropped_.push_back(record);
  const std::int64_t oldest = OldestOffset();
  std::erase_if(dropped_, [&](const DroppedRecord& known) { return known.offset < oldest; });
  if (dropped_.size() <= kDroppedMax) return;
  // Forget the record that the clock will pass last.
  dropped_.erase(std::max_element(
      dropped_.begin(), dropped_.end(),
      [](const DroppedRecord& a, const DroppedRecord& b) { return a.time < b.time; }));
}

void SourcePartition::AcceptTime(TimeUs time) {
  clock_.Accept(time);
  // Data from before it joined is late. The clock must not begin at such a time, or the next record
  // would be a jump.
  if (last_tick_ != kNoTime) clock_.AdvanceTo(last_tick_);
  const TimeUs tick = PaneStart(clock_.now());
  if (last_tick_ == kNoTime) {
    // A source's first record makes all earlier ticks empty.
    last_tick_ = tick;
    close_offset_ = record_.offset;
  } else if (tick > last_tick_) {
    CloseThrough(tick, record_.offset);
  }
}

void SourcePartition::RepeatIdleClose() {
  if (idle_close_ != kNoTime) CloseIdle(std::exchange(idle_close_, kNoTime));
}

void SourcePartition::CloseIdle(TimeUs tick) {
  RepeatIdleClose();
  tick = IdleClose(tick);
  if (last_tick_ != kNoTime && tick <= last_tick_) return;
  restored_offset_ = INT64_MAX;
  if (last_tick_ == kNoTime) last_tick_ = tick - pane_;
  clock_.AdvanceTo(tick);
  CloseThrough(tick, next_offset());
  const auto is_jump = [this](const HeldRecord& one) { return clock_.IsJump(one.time); };
  if (!std::all_of(held_.begin(), held_.end(), is_jump)) OfferHeldAgain();
}

TimeUs SourcePartition::IdleClose(TimeUs tick) const {
  if (!held_.empty()) tick = std::min(tick, held_.front().time);
  return FloorTo(tick, pane_);
}

void SourcePartition::End() {
  restored_offset_ = INT64_MAX;
  RepeatIdleClose();
  ReleaseHeld();
  TimeUs tick = last_tick_ == kNoTime ? kNoTime : last_tick_ + pane_;
  for (const OpenPane& open : panes_) tick = std::max(tick, open.start + pane_ + delay_max_);
  if (tick == kNoTime) tick = 0;  // no record at all: send one empty batch
  if (last_tick_ == kNoTime) last_tick_ = tick - pane_;
  CloseThrough(tick, next_offset_);
  batches_.back().last = true;
}

void SourcePartition::Join(TimeUs tick) {
  RepeatIdleClose();
  restored_offset_ = INT64_MAX;
  clock_ = SourceClock(clock_.trust());
  tick = FloorTo(tick, pane_);
  if (last_tick_ == kNoTime) last_tick_ = tick - pane_;
  if (last_tick_ < tick) CloseThrough(tick, next_offset_);
}

TimeUs SourcePartition::NextTickWithData(TimeUs through) const {
  TimeUs next = through;
  for (const OpenPane& open : panes_) {
    if (!open.facts.empty()) {
      const TimeUs tick = open.start + pane_ + delay_;
      if (tick > last_tick_) next = std::min(next, tick);
    }
    for (std::size_t i = 0; i < open.tables.size(); ++i) {
      if (open.tables[i].rows() == 0) continue;
      const TimeUs tick = open.start + pane_ + local_[i].aggregation->delay;
      if (tick > last_tick_) next = std::min(next, tick);
    }
  }
  return next;
}

void SourcePartition::CloseThrough(TimeUs tick, std::int64_t close_offset) {
  while (last_tick_ < tick) {
    const TimeUs next = NextTickWithData(tick);
    batches_.push_back(MakeBatch(next));
    last_tick_ = next;
    std::erase_if(panes_, [&](const OpenPane& open) {
      return open.start + pane_ + delay_max_ <= last_tick_;
    });
  }
  close_offset_ = close_offset;
}

PaneBatch SourcePartition::MakeBatch(TimeUs tick) {
  PaneBatch batch;
  batch.source = options_.source;
  batch.first_tick = sent_any_ ? last_tick_ + pane_ : kNoTime;
  batch.tick = tick;
  sent_any_ = true;
  for (OpenPane& open : panes_) {
    if (open.start + pane_ + delay_ == tick) {
      batch.facts = std::move(open.facts);
      open.facts.clear();
    }
    SumFiner(tick, &open);
    for (std::size_t i = 0; i < open.tables.size(); ++i) {
      const Aggregation* aggregation = local_[i].aggregation;
      if (open.start + pane_ + aggregation->delay != tick || open.tables[i].rows() == 0) continue;
      counters_.capped += open.tables[i].capped();
      batch.tables.emplace_back(local_[i].index, std::move(open.tables[i]));
      open.tables[i] = PaneTable(&aggregation->layout);
    }
  }
  std::sort(batch.facts.begin(), batch.facts.end(), FactBefore);
  return batch;
}

void SourcePartition::SumFiner(TimeUs tick, OpenPane* pane) {
  for (const std::uint32_t i : finest_first_) {
    const LocalAggregation& local = local_[i];
    if (local.finer < 0 || pane->start + pane_ + local.aggregation->delay != tick) continue;
    pane->tables[i].Sum(pane->tables[static_cast<std::size_t>(local.finer)], local.summed);
  }
}

void SourcePartition::OnEvent(const Event& event) {
  if (record_time_ == kNoTime) {
    if (hold_record_) return;
    const TimeUs latest = record_.read_time == kNoTime ? INT64_MAX : record_.read_time;
    if (!TimeIsKnown(std::min(event.time, latest))) {
      record_time_ = kNoTime;
      return;
    }
  }
  if (mode_ == Mode::kIgnore) return;
  const bool counts = mode_ != Mode::kReplay;
  if (counts) ++counters_.events;
  if (mode_ == Mode::kQuarantine || event.time > record_time_ + kAheadMax) {
    if (!counts) return;
    ++counters_.quarantined;
    Sample("time too far ahead", record_.bytes);
    return;
  }
  if (PaneStart(event.time) + pane_ + delay_ <= last_tick_ && counts) {
    ++counters_.late;
    Sample("late", record_.bytes);
  }
  Accumulate(event);
}

void SourcePartition::Accumulate(const Event& event) {
  const TimeUs start = PaneStart(event.time);
  if (Fact::Keeps(event)) KeepFact(event);
  if (event.type == EventType::kAlarm) {
    AccumulateAlarm(event);
    return;
  }
  if (start + pane_ + delay_max_ <= last_tick_) return;
  OpenPane* pane = PaneAt(start);
  for (const std::uint32_t i : chains_of_type_[static_cast<std::size_t>(event.type)]) {
    AccumulateChain(event, chains_[i], pane, &pane->row_caches[i]);
  }
}

void SourcePartition::AccumulateChain(const Event& event, const Chain& chain, OpenPane* pane,
                                      RowCache* cache) {
  std::uint32_t* rows = nullptr;
  for (std::size_t i = 0; i < chain.members.size(); ++i) {
    const Chain::Member& member = chain.members[i];
    const LocalAggregation& local = local_[member.local];
    const Aggregation& aggregation = *local.aggregation;
    if (pane->start + pane_ + aggregation.delay <= last_tick_) continue;
    if (!aggregation.where.Matches(event)) continue;
    if (rows == nullptr) {
      rows = cache->Of(KeyOf(chain.by, event));
    }
    PaneTable& table = pane->tables[member.local];
    std::uint32_t row = rows[i];
    if (row == RowCache::kUnknown) {
      const std::string_view key = KeyOf(aggregation.by, event);
      row = table.Row(key);
      // The (other) row is looked up for each event, because the table counts how often it is used.
      if (table.key(row) == key && !aggregation.layout.IsOther(key)) rows[i] = row;
    }
    // The finer row's counts are added when the pane closes, unless that row is (other).
    const bool spared = member.finer >= 0 && rows[member.finer] != RowCache::kUnknown;
    table.Accumulate(row, event, spared ? local.summed.rest : aggregation.layout.steps);
    pane->oldest_offset = std::min(pane->oldest_offset, record_.offset);
  }
}

std::string_view SourcePartition::KeyOf(const std::vector<FieldRef>& by, const Event& event) {
  std::array<char, 12> scratch;
  char* const begin = short_key_.data();
  char* out = begin;
  for (const FieldRef& field : by) {
    const std::string_view value = field.Get(event, scratch);
    const auto room = static_cast<std::size_t>(begin + short_key_.size() - out);
    if (value.size() >= kLongKeyPart || value.size() >= room) {
      long_key_.clear();
      for (const FieldRef& each : by) AppendKeyPart(each.Get(event, scratch), &long_key_);
      return long_key_;
    }
    *out++ = static_cast<char>(value.size());  // as AppendKeyPart does
    out = CopyText(value, out);
  }
  return {begin, static_cast<std::size_t>(out - begin)};
}

void SourcePartition::AccumulateAlarm(const Event& event) {
  for (const std::uint32_t chain : chains_of_type_[static_cast<std::size_t>(event.type)]) {
    for (const Chain::Member& member : chains_[chain].members) {
      const Aggregation& aggregation = *local_[member.local].aggregation;
      if (!aggregation.where.Matches(event)) continue;
      const std::optional<TimeUs> start = PaneOfAlarm(event.time, aggregation.delay);
      if (!start) continue;
      OpenPane* pane = PaneAt(*start);
      PaneTable& table = pane->tables[member.local];
      table.Accumulate(table.Row(KeyOf(aggregation.by, event)), event);
      pane->oldest_offset = std::min(pane->oldest_offset, record_.offset);
    }
  }
}

std::optional<TimeUs> SourcePartition::PaneOfAlarm(TimeUs time, DurationUs delay) const {
  const TimeUs start = FloorTo(time, pane_);
  if (start + pane_ + delay > last_tick_) return start;
  // Its own pane is closed. An alarm is never dropped for being late: it goes into the earliest
  // open pane. When read again after a restart, it was already sent if something was closed since.
  if (mode_ == Mode::kReplay && record_.offset < close_offset_) return std::nullopt;
  return last_tick_ - delay;
}

void SourcePartition::KeepFact(const Event& event) {
  const std::optional<TimeUs> start = PaneOfAlarm(event.time, delay_);
  if (!start) return;
  OpenPane* pane = PaneAt(*start);
  if (pane->facts.size() >= limits::kPaneFactsMax) {
    ++counters_.capped;
    return;
  }
  Fact fact = Fact::FromEvent(event);
  const bool known = std::any_of(pane->facts.begin(), pane->facts.end(),
                                 [&](const Fact& other) { return other.id == fact.id; });
  if (known) return;
  pane->facts.push_back(std::move(fact));
  pane->oldest_offset = std::min(pane->oldest_offset, record_.offset);
}

SourcePartition::OpenPane* SourcePartition::PaneAt(TimeUs start) {
  // Nearly every event falls into the newest panes.
  auto at = panes_.end();
  while (at != panes_.begin() && std::prev(at)->start >= start) --at;
  if (at != panes_.end() && at->start == start) return &*at;
  OpenPane pane;
  pane.start = start;
  pane.oldest_offset = INT64_MAX;
  for (const LocalAggregation& local : local_) pane.tables.emplace_back(&local.aggregation->layout);
  for (const Chain& chain : chains_) pane.row_caches.emplace_back(chain.members.size());
  return &*panes_.insert(at, std::move(pane));
}

void SourcePartition::OnUndecodable(std::string_view bytes, std::string_view reason) {
  // A record that is held is decoded again later and counted then.
  if (mode_ == Mode::kReplay || mode_ == Mode::kIgnore || hold_record_) return;
  ++counters_.undecodable;
  Sample(reason, bytes);
}

void SourcePartition::Sample(std::string_view reason, std::string_view bytes) {
  if (options_.dead_letters == nullptr) return;
  options_.dead_letters->OnDeadLetter(options_.source, record_.offset, reason,
                                      bytes.substr(0, limits::kDeadLetterBytesMax));
}

std::vector<PaneBatch> SourcePartition::TakeBatches() {
  std::vector<PaneBatch> taken = std::move(batches_);
  batches_.clear();
  return taken;
}

std::int64_t SourcePartition::OldestOffset() const {
  // While records are being read again, the open panes do not yet know their oldest offset.
  std::int64_t oldest = std::min(next_offset(), restored_offset_);
  for (const OpenPane& open : panes_) oldest = std::min(oldest, open.oldest_offset);
  return oldest;
}

SourceCommit SourcePartition::CommitBefore(TimeUs tick) const {
  SourceCommit commit;
  commit.offset = OldestOffset();
  commit.metadata = std::string(kCommitVersion) + ' ' + std::to_string(next_offset()) + ' ' +
                    std::to_string(last_tick_) + ' ' + std::to_string(close_offset_) + ' ' +
                    (sent_any_ ? '1' : '0') + ' ' + clock_.ToText() + ' ';
  std::string dropped;
  for (const DroppedRecord& one : dropped_) {
    if (one.offset < commit.offset || one.offset >= next_offset()) continue;
    if (one.time <= clock_.now()) dropped += std::to_string(one.offset) + ',';
  }
  commit.metadata += dropped.empty() ? "-" : dropped;
  commit.metadata += ' ' + std::to_string(tick == kNoTime ? idle_close_ : IdleClose(tick));
  commit.metadata += live_ ? " 1 " : " 0 ";
  commit.metadata += PrintText(held_.empty() ? last_record_ : held_.front().before);
  return commit;
}

absl::Status SourcePartition::Restore(const SourceCommit& commit) {
  if (commit.metadata.empty()) {
    next_offset_ = commit.offset;
    return absl::OkStatus();
  }
  const absl::Status foreign = absl::InvalidArgumentError(
      "the commit of " + options_.source + " was not made by tocsin (metadata \"" +
      commit.metadata + "\"): use a consumer group of its own");
  const std::vector<std::string_view> words = Words(commit.metadata);
  if (IsOfNewerVersion(words.front())) {
    return absl::FailedPreconditionError(
        "the commit of " + options_.source + " has format " + std::string(words.front()) +
        ", this build reads " + std::string(kCommitVersionBefore) + " and " +
        std::string(kCommitVersion) + ": run the version of tocsin that wrote it, or a newer one");
  }
  const bool is_old = words.size() == kCommitWordsBefore && words.front() == kCommitVersionBefore;
  if (!is_old && (words.size() != kCommitWords || words.front() != kCommitVersion)) return foreign;
  std::int64_t sent = 0;
  if (!ParseInteger(words[1], &replay_until_) || !ParseInteger(words[2], &last_tick_) ||
      !ParseInteger(words[3], &close_offset_) || !ParseInteger(words[4], &sent) ||
      !clock_.FromText(words[5]) || !ParseInteger(words[7], &idle_close_)) {
    return foreign;
  }
  if (!is_old) {
    live_ = words[8] == "1";
    if ((!live_ && words[8] != "0") || !ParsePrint(words[9], &last_record_)) return foreign;
  }
  // The length of a pane may have changed since.
  if (last_tick_ != kNoTime) last_tick_ = FloorTo(last_tick_, pane_);
  sent_any_ = sent != 0;
  next_offset_ = replay_until_;
  if (commit.offset < replay_until_) restored_offset_ = commit.offset;
  std::string_view dropped = words[6] == "-" ? std::string_view() : words[6];
  while (!dropped.empty()) {
    const std::size_t comma = dropped.find(',');
    std::int64_t offset = 0;
    if (comma == std::string_view::npos || !ParseInteger(dropped.substr(0, comma), &offset)) {
      return foreign;
    }
    dropped_.push_back({.offset = offset});
    dropped.remove_prefix(comma + 1);
  }
  return absl::OkStatus();
}

}  // namespace tocsin
