// Which open incidents of a scope a signal has something in common with.
//
//   GroupIndex index;
//   index.Put(record.sequence, TokensOf(signal, search));
//   for (std::uint64_t sequence : index.Find(WantedTokens(signal, search)))
//     if (BelongingOf(record, signal, …) == Belonging::kMember) …     // correlate/belonging.h
//
// What two signals can share is a token: a component, a suspected deploy's service, an attacking
// address, and detector and series itself. A signal offers its own tokens and looks for those and
// for its neighbours in the topology; what is missing offers nothing. A token is a hash of 128 bits,
// which no two of them share, because 100,000 open incidents must be cheap to remember. The index
// costs a lookup a token, however many incidents are open. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "core/hash.h"
#include "core/signal.h"
#include "correlate/suspects.h"

namespace tocsin {

using Token = Hash128;
using Tokens = std::set<Token>;

// What a signal offers to those that come after it.
Tokens TokensOf(const Signal& signal, const SuspectSearch& search);
// What a signal looks for.
Tokens WantedTokens(const Signal& signal, const SuspectSearch& search);
// The token of its detector and series: one that fires again belongs where it belonged before.
Token SeriesToken(const Signal& signal);

class GroupIndex {
 public:
  void Put(std::uint64_t sequence, const Tokens& tokens);
  void Replace(std::uint64_t sequence, const Tokens& tokens);
  void Remove(std::uint64_t sequence);
  // In opening order.
  std::set<std::uint64_t> Find(const Tokens& tokens) const;
  bool Has(std::uint64_t sequence, const Token& token) const;

 private:
  // The incidents that have a token. As a rule that is one, for which a set would be too much.
  class Holders {
   public:
    void Insert(std::uint64_t sequence);
    // Returns whether none is left. REQUIRES: it was inserted.
    bool Erase(std::uint64_t sequence);
    void AddTo(std::set<std::uint64_t>* found) const;

   private:
    static constexpr std::uint64_t kNone = UINT64_MAX;  // no incident has this number
    std::uint64_t only_ = kNone;                        // where there are not many
    std::unique_ptr<absl::btree_set<std::uint64_t>> many_;
  };

  absl::flat_hash_map<std::uint64_t, std::vector<Token>> tokens_of_;  // sorted
  absl::flat_hash_map<Token, Holders> having_;
};

}  // namespace tocsin
