// What mutes an incident, so that it pages nobody, and why: silences, maintenance windows,
// inhibition.
//
//   Muting muting(config);
//   muting.Add(silence);                                   // from an operator
//   const Inhibitors inhibitors = muting.FindInhibitors(scope.incidents);
//   std::string by = muting.MutedBy(record, inhibitors, now);     // "deploy freeze"; "" if not
//
// An incident is muted while each of its firing signals is matched by an active silence, or by an
// inhibition rule whose `when` matches another firing signal of the scope. A signal is matched by
// its series' labels and by `detector`, `kind`, `category` and `classification`. Silences are kept
// until they are over, at most limits::kSilencesMax beside the configured ones. Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/operator_action.h"
#include "core/wire.h"
#include "correlate/record.h"

namespace tocsin {

// The firing signals of a scope that some rule's `when` matches, rule by rule.
struct Inhibitors {
  struct Source {
    Hash128 signal;
    Labels labels;
  };
  std::vector<std::vector<Source>> by_rule;
};

class Muting {
 public:
  explicit Muting(const Config& config);  // `config` outlives it

  // Replaces a silence of the same name. False past the limit and for missing or invalid matchers.
  bool Add(const Silence& silence);
  // False if there is no such silence; configured silences cannot be expired.
  bool Expire(const std::string& name);
  void ForgetOver(TimeUs now);
  // The silences of operators that are not over, by name.
  std::vector<Silence> silences() const;

  // There are no silences and no inhibition rules.
  bool idle() const { return silences_.empty() && configured_.empty() && rules_.empty(); }
  Inhibitors FindInhibitors(const std::map<std::uint64_t, IncidentRecord>& incidents) const;
  // The names of the silences and rules that mute it, each once, sorted and joined by ", ".
  // Unchanged from `record.incident.muted_by` when nothing fires.
  std::string MutedBy(const IncidentRecord& record, const Inhibitors& inhibitors, TimeUs now) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Compiled {
    Silence silence;
    std::vector<Matcher> matchers;
  };
  static Compiled Compile(const Silence& silence);
  // The name of the silence or rule that mutes one signal; empty if none does.
  std::string MutedBy(const Signal& signal, const Inhibitors& inhibitors, TimeUs now) const;

  const std::vector<InhibitRule>& rules_;
  std::vector<Compiled> configured_;
  std::map<std::string, Compiled> silences_;
};

}  // namespace tocsin
