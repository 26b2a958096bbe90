#include "service/source_board.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"

namespace tocsin {

SourceBoard::Id SourceBoard::Add(const std::string& source) {
  absl::MutexLock lock(&mutex_);
  const Id id = ++last_id_;
  sources_[id].name = source;
  sources_[id].progress.reach = Reach::kAway;
  return id;
}

void SourceBoard::Remove(Id id) {
  absl::MutexLock lock(&mutex_);
  sources_.erase(id);
}

void SourceBoard::Report(Id id, const Progress& progress) {
  absl::MutexLock lock(&mutex_);
  Source& source = sources_.at(id);
  // It has joined again.
  if (source.progress.ended && !progress.ended) {
    source.still_for = source.passed_for = source.away_for = 0;
  }
  source.progress = progress;
}

TimeUs SourceBoard::TickOf(Id id) const {
  absl::MutexLock lock(&mutex_);
  return sources_.at(id).progress.tick;
}

TimeUs SourceBoard::Limit() const {
  absl::MutexLock lock(&mutex_);
  TimeUs slowest = INT64_MAX;
  for (const auto& [id, source] : sources_) {
    // A source without a tick yet does not count, since it is not known how far behind it will be.
    if (source.progress.ended || source.excluded || source.progress.tick == kNoTime) continue;
    slowest = std::min(slowest, source.progress.tick);
  }
  return slowest == INT64_MAX ? INT64_MAX : slowest + limits::kTicksAheadMax * pane_;
}

bool SourceBoard::Excluded(Id id) const {
  absl::MutexLock lock(&mutex_);
  return sources_.at(id).excluded;
}

SourceBoard::Ticks SourceBoard::GetTicks() const {
  absl::MutexLock lock(&mutex_);
  const TimeUs furthest = FurthestLocked();
  TimeUs slowest = INT64_MAX;
  for (const auto& [id, source] : sources_) {
    if (source.progress.ended || source.excluded) continue;
    slowest = std::min(slowest, source.progress.tick);  // kNoTime: a source has not begun
  }
  due_ = std::max(due_, slowest == INT64_MAX ? furthest : slowest);
  return {.due = due_, .furthest = std::max(due_, furthest)};
}

TimeUs SourceBoard::FurthestLocked() const {
  TimeUs furthest = kNoTime;
  for (const auto& [id, source] : sources_) furthest = std::max(furthest, source.progress.tick);
  return furthest;
}

std::vector<std::string> SourceBoard::ExcludedSources() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const auto& [id, source] : sources_) {
    if (source.excluded) names.push_back(source.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void SourceBoard::CountTime(DurationUs step) {
  std::vector<Source*> by_stillness;
  TimeUs data_tick = kNoTime;
  for (auto& [id, source] : sources_) {
    const bool moved = source.progress.tick != source.judged_tick;
    const bool came_back =
        source.judged_reach == Reach::kAway && source.progress.reach == Reach::kReadable;
    source.judged_tick = source.progress.tick;
    source.judged_reach = source.progress.reach;
    if (moved || came_back) source.still_for = source.passed_for = source.away_for = 0;
    if (!moved) source.still_for += step;
    if (source.progress.ended || source.excluded) continue;
    by_stillness.push_back(&source);
    // Only data of readable sources counts: if all are away, no source is to blame for the wait.
    if (source.progress.reach == Reach::kReadable) {
      data_tick = std::max(data_tick, source.progress.data_tick);
    }
  }
  std::sort(by_stillness.begin(), by_stillness.end(),
            [](const Source* a, const Source* b) { return a->still_for < b->still_for; });
  TimeUs slowest_mover = INT64_MAX;  // of the sources that have advanced after the current one
  for (std::size_t begin = 0, end = 0; begin < by_stillness.size(); begin = end) {
    const DurationUs still_for = by_stillness[begin]->still_for;
    for (; end < by_stillness.size() && by_stillness[end]->still_for == still_for; ++end) {
      Source& source = *by_stillness[end];
      const TimeUs tick = source.progress.tick;
      if (source.progress.reach == Reach::kReadable) {
        if (slowest_mover != INT64_MAX && tick < slowest_mover) source.passed_for += step;
      } else if (tick < data_tick) {
        source.away_for += step;
      }
    }
    for (std::size_t i = begin; i < end; ++i) {
      slowest_mover = std::min(slowest_mover, by_stillness[i]->progress.tick);
    }
  }
}

std::vector<ControlRecord> SourceBoard::Judge(TimeUs now) {
  absl::MutexLock lock(&mutex_);
  const DurationUs step =
      judged_at_ == kNoTime ? 0 : std::clamp<DurationUs>(now - judged_at_, 0, kStepMax);
  judged_at_ = now;
  CountTime(step);
  const TimeUs furthest = FurthestLocked();
  std::vector<ControlRecord> records;
  for (auto& [id, source] : sources_) {
    const TimeUs tick = source.progress.tick;
    const bool stuck = source.passed_for >= kExcludeAfter || source.away_for >= kAwayAfter;
    if (!source.excluded && stuck && tick < furthest) {
      source.excluded = true;
      records.push_back({.kind = ControlRecord::Kind::kExclude,
                         .tick = tick == kNoTime ? kNoTime : tick + pane_,
                         .sources = {source.name}});
    } else if (source.excluded && tick != kNoTime && tick >= furthest) {
      source.excluded = false;
      source.still_for = source.passed_for = source.away_for = 0;
      records.push_back({.kind = ControlRecord::Kind::kRejoin,
                         .tick = furthest + pane_,
                         .sources = {source.name}});
    }
  }
  std::sort(records.begin(), records.end(),
            [](const ControlRecord& a, const ControlRecord& b) { return a.sources < b.sources; });
  return records;
}

}  // namespace tocsin
