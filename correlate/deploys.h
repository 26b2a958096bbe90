// The releases and rollbacks of one scope, as far back as a suspect search looks.
//
//   DeployLog log;
//   if (log.Add(DeployOf(fact))) …                     // it is new
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
  std::string service;  // or the app, if the deploy names no service; may be empty
  std::string version;  // the version that runs afterwards
  bool rollback = false;
  auto operator<=>(const Deploy&) const = default;
};

// REQUIRES: a fact of type deploy.
Deploy DeployOf(const Fact& fact);

// The notification about a deploy (NotificationAction::kChange).
Notification ChangeOf(const Deploy& deploy, std::string_view scope, const Labels& scope_labels,
                      TimeUs tick);

class DeployLog {
 public:
  // Returns false if the deploy is known.
  bool Add(const Deploy& deploy);
  // Forgets deploys before `time`; returns whether there were any.
  bool ForgetBefore(TimeUs time);

  // The deploys with a time in [from, to].
  std::span<const Deploy> Between(TimeUs from, TimeUs to) const;
  // When the release was first rolled back; kNoTime if it was not. A rollback that names no service
  // applies to all services.
  TimeUs RolledBackAt(const Deploy& release) const;

  bool empty() const { return deploys_.empty(); }
  void Encode(ByteWriter* out) const;
  static DeployLog Decode(ByteReader* in);

 private:
  std::vector<Deploy> deploys_;  // sorted
};

}  // namespace tocsin
