// Which open incidents of a scope a signal belongs to.
//
//   GroupIndex index;
//   index.Put(record.sequence, TokensOf(signal, search));
//   for (std::uint64_t sequence : index.Find(WantedTokens(signal, search)))
//     if (JoinsInTime(record, signal, join_window)) …
//
// What two signals can share is written as a token: a component ("c:api"), a suspected deploy's
// service ("d:api"), an attacking address ("a:10.0.0.9"), and detector and series itself. A signal
// offers its own tokens and looks for those and for its neighbours in the topology; what is missing
// offers nothing. The index costs a lookup a token, however many incidents are open. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "core/signal.h"
#include "correlate/record.h"
#include "correlate/suspects.h"

namespace tocsin {

using Tokens = std::set<std::string>;

// What a signal offers to those that come after it.
Tokens TokensOf(const Signal& signal, const SuspectSearch& search);
// What a signal looks for.
Tokens WantedTokens(const Signal& signal, const SuspectSearch& search);
// The token of its detector and series: one that fires again belongs where it belonged before.
std::string SeriesToken(const Signal& signal);

// Within `join_window` of the incident's onset, or while one of its signals fires or — in event
// time — fired when this one began.
bool JoinsInTime(const IncidentRecord& record, const Signal& signal, DurationUs join_window);

class GroupIndex {
 public:
  void Put(std::uint64_t sequence, const Tokens& tokens);
  void Replace(std::uint64_t sequence, const Tokens& tokens);
  void Remove(std::uint64_t sequence);
  // In opening order.
  std::set<std::uint64_t> Find(const Tokens& tokens) const;
  bool Has(std::uint64_t sequence, const std::string& token) const;

 private:
  std::map<std::uint64_t, Tokens> tokens_of_;
  std::map<std::string, std::set<std::uint64_t>> having_;
};

}  // namespace tocsin
