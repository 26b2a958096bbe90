// The releases and rollbacks of one scope, as far back as a suspect search looks.
//
//   DeployLog log;
//   if (log.Add(DeployOf(fact))) …                     // one that was not known
//   for (const Deploy& d : log.Between(onset - window, onset)) …
//
// In order of (time, service, version); the oldest is forgotten past limits::kDeploysMax. Not
// thread-safe.
#pragma once

#include <compare>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/delivery.h"
#include "core/fact.h"
#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

struct Deploy {
  TimeUs time = kNoTime;
  std::string service;  // or the app, where the deploy names no service; may be empty
  std::string version;  // the one that runs from now on
  bool rollback = false;
  auto operator<=>(const Deploy&) const = default;
};

// REQUIRES: a fact of type deploy.
Deploy DeployOf(const Fact& fact);

// What people are told of a deploy (NotificationAction::kChange).
Notification ChangeOf(const Deploy& deploy, std::string_view scope, const Labels& scope_labels,
                      TimeUs tick);

class DeployLog {
 public:
  // False if it is known.
  bool Add(const Deploy& deploy);
  // Forgets what lies before `time`; false if that was nothing.
  bool ForgetBefore(TimeUs time);

  // With a time in [from, to].
  std::span<const Deploy> Between(TimeUs from, TimeUs to) const;
  // When the release was first rolled back; kNoTime if it was not. A rollback that names no service
  // is of them all.
  TimeUs RolledBackAt(const Deploy& release) const;

  bool empty() const { return deploys_.empty(); }
  void Encode(ByteWriter* out) const;
  static DeployLog Decode(ByteReader* in);

 private:
  std::vector<Deploy> deploys_;  // sorted
};

}  // namespace tocsin
