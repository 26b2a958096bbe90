// What pages nobody for now, and why: silences, maintenance windows, inhibition.
//
//   Muting muting(config);
//   muting.Add(silence);                                   // one that a person asked for
//   const Inhibitors inhibitors = muting.FindInhibitors(scope.incidents);
//   std::string by = muting.MutedBy(record, inhibitors, now);     // "deploy freeze"; "" if not
//
// An incident is muted while each of its firing signals is matched by an active silence, or by an
// inhibition rule of which another signal of the scope fires. A signal is matched by its series'
// labels and by `detector`, `kind`, `category` and `classification`. Silences are kept until they
// are over, at most limits::kSilencesMax beside the configured ones. Not thread-safe.
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

  // Replaces the one of its name. False past the limit, and for matchers that are none.
  bool Add(const Silence& silence);
  // False if there is none of this name; configured ones stay.
  bool Expire(const std::string& name);
  void ForgetOver(TimeUs now);
  // Those that a person asked for and that are not over, by name.
  std::vector<Silence> silences() const;

  // Nothing can be muted.
  bool idle() const { return silences_.empty() && configured_.empty() && rules_.empty(); }
  Inhibitors FindInhibitors(const std::map<std::uint64_t, IncidentRecord>& incidents) const;
  // The names of what mutes it, each once and sorted, ", " between them. Unchanged from
  // `record.incident.muted_by` when nothing fires.
  std::string MutedBy(const IncidentRecord& record, const Inhibitors& inhibitors, TimeUs now) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Compiled {
    Silence silence;
    std::vector<Matcher> matchers;
  };
  static Compiled Compile(const Silence& silence);
  // What mutes one signal; empty if nothing does.
  std::string MutedBy(const Signal& signal, const Inhibitors& inhibitors, TimeUs now) const;

  const std::vector<InhibitRule>& rules_;
  std::vector<Compiled> configured_;
  std::map<std::string, Compiled> silences_;
};

}  // namespace tocsin
