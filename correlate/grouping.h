// Which open incidents of a scope have something in common with a signal.
//
//   GroupIndex index;
//   index.Put(record.sequence, TokensOf(signal, search));
//   for (std::uint64_t sequence : index.Find(WantedTokens(signal, search)))
//     if (BelongingOf(record, signal, …) == Belonging::kMember) …     // correlate/belonging.h
//
// A token is something that two signals can share: a component, a suspected deploy's service, an
// attacking address, or the detector and series itself. A signal offers its own tokens and looks
// for those and for its neighbours in the topology; missing labels offer no token. Tokens are
// 128-bit hashes, which do not collide in practice, because 100,000 open incidents must be cheap to
// remember. A search costs one look-up per token, however many incidents are open. Not thread-safe.
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

// The tokens that a signal offers to later signals.
Tokens TokensOf(const Signal& signal, const SuspectSearch& search);
// The tokens that a signal looks for.
Tokens WantedTokens(const Signal& signal, const SuspectSearch& search);
// The token of its detector and series: a series that fires again belongs to the same incident as
// before.
Token SeriesToken(const Signal& signal);

class GroupIndex {
 public:
  void Put(std::uint64_t sequence, const Tokens& tokens);
  void Replace(std::uint64_t sequence, const Tokens& tokens);
  void Remove(std::uint64_t sequence);
  // The incidents that have any of the tokens, in opening order.
  std::set<std::uint64_t> Find(const Tokens& tokens) const;
  bool Has(std::uint64_t sequence, const Token& token) const;

 private:
  // The incidents that have a token. Usually there is only one, for which a set would be too large.
  class Holders {
   public:
    void Insert(std::uint64_t sequence);
    // Returns whether no incident is left. REQUIRES: it was inserted.
    bool Erase(std::uint64_t sequence);
    void AddTo(std::set<std::uint64_t>* found) const;

   private:
    static constexpr std::uint64_t kNone = UINT64_MAX;  // no incident has this number
    std::uint64_t only_ = kNone;                        // the one incident, if many_ is null
    std::unique_ptr<absl::btree_set<std::uint64_t>> many_;
  };

  absl::flat_hash_map<std::uint64_t, std::vector<Token>> tokens_of_;  // sorted
  absl::flat_hash_map<Token, Holders> having_;
};

}  // namespace tocsin
