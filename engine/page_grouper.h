// Folds a storm of pages into one page.
//
//   PageGrouper folder(&config.routes);
//   folder.Fold(tick, &notifications);      // the correlator's notifications, in their order
//
// Pages are triggers that a route sends to sinks that page people. They are counted by scope and
// route (by the set of matching routes, where one says `continue`) over the last kWindow of ticks.
// When more than limits::kPagesUnfolded were counted, a page below level 1 is folded: its trigger
// still goes to sinks that page nobody (tickets, chats), and one page with its own id stands for
// all folded pages of that route and level. Further pages join the fold while the storm lasts. Once
// the window has few pages again, the next page is sent by itself, and another storm begins another
// fold. When a member is escalated, its fold is escalated to the same roles, each role once. A fold
// is acknowledged when all its members are, and resolves when all members have resolved. Level 1 is
// counted and never folded.
//
// Decided by tick alone, so a replay folds the same. Bounded by the open incidents. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "core/wire.h"

namespace tocsin {

class PageGrouper {
 public:
  static constexpr DurationUs kWindow = 10 * kMinuteUs;

  explicit PageGrouper(const std::vector<RouteConfig>* routes) : routes_(routes) {}

  // `tick` never decreases. Notifications about folds are appended after the existing ones.
  void Fold(TimeUs tick, std::vector<Notification>* notifications);

  void Encode(ByteWriter* out) const;
  // Empty if `in` is malformed.
  void Decode(ByteReader* in);

 private:
  using Line = std::pair<std::string, std::string>;  // scope and routes (PagingRoutes)
  using Member = std::pair<Hash128, int>;            // incident and level
  struct OpenFold {
    Incident incident;               // the content of the page
    std::map<Member, bool> members;  // → whether it was acknowledged
    TimeUs joined = kNoTime;         // when the last member joined
    bool acknowledged = false;
  };

  // The fold that new pages of this line and level join; nullptr if the last storm is over.
  OpenFold* Joinable(const Line& line, int level, TimeUs tick);
  void FoldTrigger(const Line& line, TimeUs tick, Notification* notification,
                   std::vector<Hash128>* begun);
  void Escalate(Notification* notification, std::vector<Notification>* added);
  void Follow(const Notification& notification, std::vector<Notification>* added);
  static Notification About(NotificationAction action, TimeUs tick, const OpenFold& fold);

  const std::vector<RouteConfig>* routes_;
  std::map<Line, std::deque<TimeUs>> pages_;  // within the window, folded pages included
  std::map<Hash128, OpenFold> folds_;
  std::map<std::pair<Line, int>, Hash128> newest_;  // newest fold of a line and level
  std::map<Member, Hash128> fold_of_;
};

}  // namespace tocsin
