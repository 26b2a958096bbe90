#include "correlate/coincidence.h"

#include <algorithm>

#include "core/labels.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// Availability, performance and capacity problems are one kind of harm.
int HarmOf(Category category) {
  switch (category) {
    case Category::kSecurity:
      return 1;
    case Category::kData:
      return 2;
    case Category::kAvailability:
    case Category::kPerformance:
    case Category::kCapacity:
      break;
  }
  return 0;
}

bool HasMoment(const Signal& signal) {
  return !signal.drifts && signal.began.known() &&
         signal.began.latest - signal.began.earliest <= kOnsetWidthMax;
}

bool Meet(const OnsetInterval& a, const OnsetInterval& b, DurationUs within) {
  return a.earliest - within <= b.latest && b.earliest - within <= a.latest;
}

// A name for what the signal is about.
std::string SubjectOf(const Signal& signal) {
  for (const char* label : {"service", "dependency", "app", "host", "endpoint", "name"}) {
    const std::string_view value = LabelValue(signal.series, label);
    if (!value.empty() && value != kOtherValue) return std::string(value);
  }
  return signal.detector;
}

std::string IntervalText(const OnsetInterval& interval) {
  return FormatClock(interval.earliest) + " to " + FormatClock(interval.latest);
}

}  // namespace

bool Coincide(const Signal& a, const Signal& b, const Coincidence& coincidence) {
  const Topology& topology = coincidence.topology;
  return coincidence.within > 0 && HasMoment(a) && HasMoment(b) &&
         HarmOf(a.category) == HarmOf(b.category) && Meet(a.began, b.began, coincidence.within) &&
         !topology.KnownApart(topology.PartOf(a), topology.PartOf(b), coincidence.now);
}

std::string CoincidenceText(const Signal& joined, const Signal& known, DurationUs within) {
  std::string subject = SubjectOf(joined), other = SubjectOf(known);
  if (subject == other) {
    subject = joined.detector;
    other = known.detector;
  }
  return subject + " began within " + FormatDuration(within) + " of " + other + " (" +
         IntervalText(joined.began) + " and " + IntervalText(known.began) +
         "); nothing else connects them";
}

void OnsetIndex::Put(std::uint64_t sequence, const Signal& signal, Topology::Part part) {
  if (!HasMoment(signal)) return;
  const bool fresh = onsets_
                         .insert({.earliest = signal.began.earliest,
                                  .latest = signal.began.latest,
                                  .sequence = sequence,
                                  .harm = HarmOf(signal.category),
                                  .part = part})
                         .second;
  if (fresh) ++widths_[signal.began.latest - signal.began.earliest];
}

void OnsetIndex::Remove(std::uint64_t sequence, const Signal& signal) {
  if (!HasMoment(signal)) return;
  const auto first = onsets_.lower_bound({.earliest = signal.began.earliest,
                                          .latest = signal.began.latest,
                                          .sequence = sequence,
                                          .harm = 0,
                                          .part = Topology::kNoPart});
  auto last = first;
  std::size_t removed = 0;
  while (last != onsets_.end() && last->earliest == signal.began.earliest &&
         last->latest == signal.began.latest && last->sequence == sequence) {
    ++last;
    ++removed;
  }
  if (removed == 0) return;
  onsets_.erase(first, last);
  const auto width = widths_.find(signal.began.latest - signal.began.earliest);
  width->second -= removed;
  if (width->second == 0) widths_.erase(width);
}

std::vector<std::uint64_t> OnsetIndex::Find(const Signal& signal,
                                            const Coincidence& coincidence) const {
  std::vector<std::uint64_t> found;
  const DurationUs within = coincidence.within;
  if (within <= 0 || onsets_.empty() || !HasMoment(signal)) return found;
  const DurationUs widest = widths_.rbegin()->first;
  const Topology::Part part = coincidence.topology.PartOf(signal);
  const int harm = HarmOf(signal.category);
  std::size_t compared = 0;
  for (auto onset = onsets_.lower_bound(
           {.earliest = signal.began.earliest - within - widest, .latest = INT64_MIN});
       onset != onsets_.end() && onset->earliest - within <= signal.began.latest &&
       compared < limits::kOnsetsComparedMax;
       ++onset, ++compared) {
    if (onset->harm != harm ||
        !Meet({.earliest = onset->earliest, .latest = onset->latest}, signal.began, within) ||
        coincidence.topology.KnownApart(onset->part, part, coincidence.now)) {
      continue;
    }
    found.push_back(onset->sequence);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace tocsin
