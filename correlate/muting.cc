#include "correlate/muting.h"

#include <algorithm>
#include <set>

#include "core/limits.h"

namespace tocsin {
namespace {

Labels LabelsOf(const Signal& signal) {
  Labels labels = signal.series;
  labels.emplace_back("detector", signal.detector);
  labels.emplace_back("kind", signal.kind);
  labels.emplace_back("category", CategoryName(signal.category));
  if (!signal.classification.empty()) labels.emplace_back("classification", signal.classification);
  return labels;
}

bool AllMatch(const std::vector<Matcher>& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.Matches(labels); });
}

// Missing values are not equal, as in grouping.
bool SameValues(const std::vector<std::string>& names, const Labels& a, const Labels& b) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string_view value = LabelValue(a, name);
    return !value.empty() && value == LabelValue(b, name);
  });
}

}  // namespace

Muting::Compiled Muting::Compile(const Silence& silence) {
  Compiled compiled{.silence = silence, .matchers = {}};
  for (const std::string& text : silence.matchers) {
    absl::StatusOr<Matcher> matcher = Matcher::Parse(text);
    if (!matcher.ok()) return {};
    compiled.matchers.push_back(*std::move(matcher));
  }
  return compiled;
}

Muting::Muting(const Config& config) : rules_(config.inhibit) {
  for (const Silence& silence : config.silences) configured_.push_back(Compile(silence));
}

bool Muting::Add(const Silence& silence) {
  Compiled compiled = Compile(silence);
  // A silence without matchers would mute everything.
  if (compiled.matchers.empty()) return false;
  if (silences_.size() >= limits::kSilencesMax && !silences_.contains(silence.name)) return false;
  silences_[silence.name] = std::move(compiled);
  return true;
}

bool Muting::Expire(const std::string& name) { return silences_.erase(name) > 0; }

void Muting::ForgetOver(TimeUs now) {
  std::erase_if(silences_, [now](const auto& entry) { return entry.second.silence.OverAt(now); });
}

std::vector<Silence> Muting::silences() const {
  std::vector<Silence> silences;
  for (const auto& [name, compiled] : silences_) silences.push_back(compiled.silence);
  return silences;
}

Inhibitors Muting::FindInhibitors(const std::map<std::uint64_t, IncidentRecord>& incidents) const {
  Inhibitors found;
  if (rules_.empty()) return found;
  found.by_rule.resize(rules_.size());
  for (const auto& [sequence, record] : incidents) {
    for (const Signal& signal : record.incident.signals) {
      if (!signal.firing()) continue;
      const Labels labels = LabelsOf(signal);
      for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
        if (!AllMatch(rules_[rule].when, labels)) continue;
        found.by_rule[rule].push_back({.signal = signal.id, .labels = labels});
      }
    }
  }
  return found;
}

std::string Muting::MutedBy(const Signal& signal, const Inhibitors& inhibitors, TimeUs now) const {
  const Labels labels = LabelsOf(signal);
  const auto mutes = [&](const Compiled& compiled) {
    return compiled.silence.ActiveAt(now) && AllMatch(compiled.matchers, labels);
  };
  const auto planned = std::find_if(configured_.begin(), configured_.end(), mutes);
  if (planned != configured_.end()) return planned->silence.name;
  const auto asked = std::find_if(silences_.begin(), silences_.end(),
                                  [&](const auto& entry) { return mutes(entry.second); });
  if (asked != silences_.end()) return asked->first;
  for (std::size_t rule = 0; rule < inhibitors.by_rule.size(); ++rule) {
    if (!AllMatch(rules_[rule].mute, labels)) continue;
    for (const Inhibitors::Source& source : inhibitors.by_rule[rule]) {
      if (source.signal == signal.id) continue;
      if (SameValues(rules_[rule].equal, labels, source.labels)) return rules_[rule].name;
    }
  }
  return "";
}

std::string Muting::MutedBy(const IncidentRecord& record, const Inhibitors& inhibitors,
                            TimeUs now) const {
  if (record.firing.empty()) return record.incident.muted_by;
  std::set<std::string> names;
  for (const Signal& signal : record.incident.signals) {
    if (!signal.firing()) continue;
    std::string name = MutedBy(signal, inhibitors, now);
    if (name.empty()) return "";
    names.insert(std::move(name));
  }
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

void Muting::Encode(ByteWriter* out) const {
  out->Varint(silences_.size());
  for (const auto& [name, compiled] : silences_) compiled.silence.Encode(out);
}

void Muting::Decode(ByteReader* in) {
  for (std::size_t i = in->Count(7); i > 0 && in->ok(); --i) {
    // A silence that an older build accepted and this one rejects is dropped; the rest of the state
    // is kept.
    Add(Silence::Decode(in));
  }
}

}  // namespace tocsin
