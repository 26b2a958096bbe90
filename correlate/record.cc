#include "correlate/record.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/limits.h"

namespace tocsin {
namespace {

bool ListedBefore(const Signal& a, const Signal& b) {
  if (std::tie(a.fired_at, a.onset) != std::tie(b.fired_at, b.onset)) {
    return std::tie(a.fired_at, a.onset) < std::tie(b.fired_at, b.onset);
  }
  return SignalBefore(a, b);
}

}  // namespace

const Signal* IncidentRecord::Find(const Hash128& signal) const {
  const auto found = std::find_if(incident.signals.begin(), incident.signals.end(),
                                  [&signal](const Signal& member) { return member.id == signal; });
  return found == incident.signals.end() ? nullptr : &*found;
}

Signal* IncidentRecord::Find(const Hash128& signal) {
  return const_cast<Signal*>(std::as_const(*this).Find(signal));
}

void IncidentRecord::Put(const Signal& signal, const std::string& title) {
  if (signal.firing()) {
    firing.insert(signal.id);
  } else {
    firing.erase(signal.id);
  }
  std::vector<Signal>& signals = incident.signals;
  if (Signal* known = Find(signal.id)) {
    const TimeUs breached_at = std::max(known->breached_at, signal.breached_at);
    *known = signal;
    known->breached_at = breached_at;
    if (!title.empty()) titles[static_cast<std::size_t>(known - signals.data())] = title;
    members_changed = true;
    return;
  }
  if (signals.size() >= limits::kIncidentSignalsMax) {
    incident.partial = true;
    return;
  }
  members_changed = true;
  const auto place = std::upper_bound(signals.begin(), signals.end(), signal, ListedBefore);
  titles.insert(titles.begin() + (place - signals.begin()), title);
  signals.insert(place, signal);
}

void IncidentRecord::Note(TimelineEntry entry) {
  std::vector<TimelineEntry>& timeline = incident.timeline;
  if (timeline.size() >= limits::kIncidentTimelineMax) timeline.erase(timeline.begin() + 1);
  timeline.push_back(std::move(entry));
}

void IncidentRecord::NoteOwn(TimeUs at, std::string what, std::string text) {
  Note({.at = at, .id = "", .author = kSelf, .what = std::move(what), .text = std::move(text)});
}

void IncidentRecord::Absorb(const IncidentRecord& younger) {
  for (std::size_t i = 0; i < younger.incident.signals.size(); ++i) {
    Put(younger.incident.signals[i], younger.titles[i]);
  }
  firing.insert(younger.firing.begin(), younger.firing.end());
  tally.Absorb(younger.tally);
  impact_added = true;
  incident.onset = std::min(incident.onset, younger.incident.onset);
  incident.partial = incident.partial || younger.incident.partial;
  worsened_at = std::max(worsened_at, younger.worsened_at);
  if (younger.incident.severity_level < incident.severity_level) {
    incident.severity_level = younger.incident.severity_level;
    incident.severity_rule = younger.incident.severity_rule;
  }
}

std::size_t IncidentRecord::Lead() const {
  const auto lead = std::min_element(
      incident.signals.begin(), incident.signals.end(), [](const Signal& a, const Signal& b) {
        if (std::tie(a.level, a.onset) != std::tie(b.level, b.onset)) {
          return std::tie(a.level, a.onset) < std::tie(b.level, b.onset);
        }
        return ListedBefore(a, b);
      });
  return static_cast<std::size_t>(lead - incident.signals.begin());
}

void IncidentRecord::Encode(ByteWriter* out) const {
  out->Varint(sequence);
  incident.Encode(out);
  for (const std::string& title : titles) out->Bytes(title);
  out->Varint(firing.size());
  for (const Hash128& signal : firing) {
    out->Fixed64(signal.high);
    out->Fixed64(signal.low);
  }
  out->Signed(opened_tick);
  out->Signed(quiet_since);
  out->Signed(triggered_level);
  out->Signed(triggered_at);
  out->Varint(escalation_step);
  out->Varint(escalated.size());
  for (const std::string& role : escalated) out->Bytes(role);
  out->Signed(acknowledged_until);
  out->Signed(refired);
  out->Bool(resolved_by_person);
  out->Signed(rolled_back_at);
  out->Bytes(roll_back);
  tally.Encode(out);
  out->Signed(worsened_at);
}

IncidentRecord IncidentRecord::Decode(ByteReader* in) {
  IncidentRecord record;
  record.sequence = in->Varint();
  record.incident = Incident::Decode(in);
  // Every incident lists the signal that opened it, and Lead relies on that.
  if (record.incident.signals.empty()) in->Fail();
  record.titles.resize(record.incident.signals.size());
  for (std::string& title : record.titles) title = in->Bytes();
  const std::size_t firing = in->Count(16);
  for (std::size_t i = 0; i < firing; ++i) {
    Hash128 signal;
    signal.high = in->Fixed64();
    signal.low = in->Fixed64();
    record.firing.insert(signal);
  }
  record.opened_tick = in->Signed();
  record.quiet_since = in->Signed();
  const std::int64_t level = in->Signed();
  if (level < 0 || level > 4) in->Fail();
  record.triggered_level = static_cast<int>(level);
  record.triggered_at = in->Signed();
  record.escalation_step = in->Varint();
  record.escalated.resize(in->Count());
  for (std::string& role : record.escalated) role = in->Bytes();
  record.acknowledged_until = in->Signed();
  record.refired = static_cast<int>(in->Signed());
  record.resolved_by_person = in->Bool();
  record.rolled_back_at = in->Signed();
  record.roll_back = in->Bytes();
  record.tally = ImpactTally::Decode(in);
  if (in->format() >= 6) {
    record.worsened_at = in->Signed();
  } else {
    for (const Signal& signal : record.incident.signals) {
      record.worsened_at = std::max(record.worsened_at, signal.fired_at);
    }
  }
  return in->ok() ? record : IncidentRecord{};
}

}  // namespace tocsin
