#include "engine/page_grouper.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/limits.h"
#include "sinks/routing.h"

namespace tocsin {
namespace {

// Titles that the page lists; the incident list has all.
constexpr std::size_t kTitles = 3;

void EncodeHash(const Hash128& hash, ByteWriter* out) {
  out->Fixed64(hash.high);
  out->Fixed64(hash.low);
}

Hash128 DecodeHash(ByteReader* in) {
  Hash128 hash;
  hash.high = in->Fixed64();
  hash.low = in->Fixed64();
  return hash;
}

// "INC-2026-006 API fails; INC-2026-007 …; and 12 more".
std::string Named(const std::vector<std::string>& incidents) {
  std::string text;
  for (std::size_t i = 0; i < std::min(kTitles, incidents.size()); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "; ", incidents[i]);
  }
  if (incidents.size() > kTitles)
    absl::StrAppend(&text, "; and ", incidents.size() - kTitles, " more");
  return text;
}

}  // namespace

PageGrouper::OpenFold* PageGrouper::Joinable(const Line& line, int level, TimeUs tick) {
  const auto newest = newest_.find({line, level});
  if (newest == newest_.end()) return nullptr;
  const auto fold = folds_.find(newest->second);
  if (fold == folds_.end() || fold->second.joined + kWindow <= tick) return nullptr;
  return &fold->second;
}

void PageGrouper::FoldTrigger(const Line& line, TimeUs tick, Notification* notification,
                              std::vector<Hash128>* begun) {
  const Incident& member = notification->incident;
  const int level = notification->level;
  OpenFold* fold = Joinable(line, level, tick);
  if (fold == nullptr) {
    const Hash128 id =
        HashParts({"fold", line.first, line.second, absl::StrCat(level), FormatTime(tick)});
    fold = &folds_[id];
    newest_[{line, level}] = id;
    begun->push_back(id);
    // A copy of the first member, so the page has its evidence and its routing labels.
    Incident& page = fold->incident = member;
    page.id = id;
    page.number += "+";
    page.severity_level = level;
    page.severity_rule = absl::StrCat("more than ", limits::kPagesUnfolded, " pages in ",
                                      FormatDuration(kWindow), " became this one");
    page.advice = {"See all that are open: tocsin incidents list",
                   "Look for one cause: a network, a host, a release that all of them share"};
    page.timeline.clear();
  }
  fold->incident.onset = std::min(fold->incident.onset, member.onset);
  fold->joined = tick;
  fold->members.emplace(Member(member.id, level), false);
  fold_of_[{member.id, level}] = fold->incident.id;
  notification->audience = Audience::kNotPaging;
}

Notification PageGrouper::About(NotificationAction action, TimeUs tick, const OpenFold& fold) {
  return {.action = action,
          .level = fold.incident.severity_level,
          .tick = tick,
          .pages = true,
          .audience = Audience::kPaging,
          .incident = fold.incident};
}

void PageGrouper::Escalate(Notification* notification, std::vector<Notification>* added) {
  const auto known = fold_of_.find({notification->incident.id, notification->level});
  if (known == fold_of_.end()) return;
  notification->audience = Audience::kNotPaging;
  OpenFold& fold = folds_.find(known->second)->second;
  std::vector<std::string>& called = fold.incident.escalate_to;
  bool more = false;
  for (const std::string& role : notification->incident.escalate_to) {
    if (std::find(called.begin(), called.end(), role) != called.end()) continue;
    called.push_back(role);
    more = true;
  }
  if (more) added->push_back(About(NotificationAction::kEscalate, notification->tick, fold));
}

void PageGrouper::Follow(const Notification& notification, std::vector<Notification>* added) {
  const auto known = fold_of_.find({notification.incident.id, notification.level});
  if (known == fold_of_.end()) return;
  const auto found = folds_.find(known->second);
  OpenFold& fold = found->second;
  if (notification.action == NotificationAction::kAcknowledge) {
    fold.members[known->first] = true;
  } else if (notification.action == NotificationAction::kResolve) {
    fold.members.erase(known->first);
    fold_of_.erase(known);
  } else {
    return;
  }
  if (fold.members.empty()) {
    fold.incident.state = IncidentState::kResolved;
    fold.incident.resolved_at = notification.tick;
    added->push_back(About(NotificationAction::kResolve, notification.tick, fold));
    std::erase_if(newest_, [&](const auto& one) { return one.second == found->first; });
    folds_.erase(found);
    return;
  }
  const bool all = std::all_of(fold.members.begin(), fold.members.end(),
                               [](const auto& member) { return member.second; });
  if (!all || fold.acknowledged) return;
  fold.acknowledged = true;
  fold.incident.state = IncidentState::kAcknowledged;
  fold.incident.acknowledged_at = notification.tick;
  fold.incident.acknowledged_by = notification.incident.acknowledged_by;
  added->push_back(About(NotificationAction::kAcknowledge, notification.tick, fold));
}

void PageGrouper::Fold(TimeUs tick, std::vector<Notification>* notifications) {
  for (auto line = pages_.begin(); line != pages_.end();) {
    std::deque<TimeUs>& pages = line->second;
    while (!pages.empty() && pages.front() + kWindow <= tick) pages.pop_front();
    line = pages.empty() ? pages_.erase(line) : std::next(line);
  }
  std::vector<Notification> added;
  std::vector<Hash128> begun;
  std::map<Hash128, std::vector<std::string>> named;
  for (Notification& notification : *notifications) {
    if (notification.action == NotificationAction::kEscalate) {
      Escalate(&notification, &added);
      continue;
    }
    if (notification.action != NotificationAction::kTrigger) {
      Follow(notification, &added);
      continue;
    }
    std::optional<std::string> taken = PagingRoutes(*routes_, notification);
    if (!taken) continue;
    const Line line(notification.incident.scope, *std::move(taken));
    std::deque<TimeUs>& pages = pages_[line];
    const bool many = pages.size() >= limits::kPagesUnfolded;
    // More entries than this cannot change the decision.
    if (pages.size() == 2 * limits::kPagesUnfolded) pages.pop_front();
    pages.push_back(tick);
    if (!many || notification.level <= 1) continue;
    FoldTrigger(line, tick, &notification, &begun);
    named[newest_.at({line, notification.level})].push_back(
        absl::StrCat(notification.incident.number, " ", notification.incident.title));
  }
  for (const Hash128& id : begun) {
    const auto fold = folds_.find(id);
    if (fold == folds_.end()) continue;
    fold->second.incident.title =
        absl::StrCat("More pages than ", limits::kPagesUnfolded, " in ", FormatDuration(kWindow),
                     "; this one stands for what follows: ", Named(named[id]));
    added.push_back(About(NotificationAction::kTrigger, tick, fold->second));
  }
  std::stable_partition(added.begin(), added.end(), [](const Notification& notification) {
    return notification.action == NotificationAction::kTrigger;
  });
  std::move(added.begin(), added.end(), std::back_inserter(*notifications));
}

void PageGrouper::Encode(ByteWriter* out) const {
  const auto encode_line = [out](const Line& line) {
    out->Bytes(line.first);
    out->Bytes(line.second);
  };
  out->Varint(pages_.size());
  for (const auto& [line, pages] : pages_) {
    encode_line(line);
    out->Varint(pages.size());
    for (const TimeUs tick : pages) out->Signed(tick);
  }
  out->Varint(folds_.size());
  for (const auto& [id, fold] : folds_) {
    fold.incident.Encode(out);
    out->Signed(fold.joined);
    out->Bool(fold.acknowledged);
    out->Varint(fold.members.size());
    for (const auto& [member, acknowledged] : fold.members) {
      EncodeHash(member.first, out);
      out->Signed(member.second);
      out->Bool(acknowledged);
    }
  }
  out->Varint(newest_.size());
  for (const auto& [key, id] : newest_) {
    encode_line(key.first);
    out->Signed(key.second);
    EncodeHash(id, out);
  }
}

void PageGrouper::Decode(ByteReader* in) {
  PageGrouper fresh(routes_);
  const auto decode_line = [in] {
    std::string scope(in->Bytes());
    return Line(std::move(scope), in->Bytes());
  };
  for (std::size_t i = in->Count(3); i > 0 && in->ok(); --i) {
    std::deque<TimeUs>& pages = fresh.pages_[decode_line()];
    for (std::size_t n = in->Count(1); n > 0 && in->ok(); --n) pages.push_back(in->Signed());
  }
  for (std::size_t i = in->Count(16); i > 0 && in->ok(); --i) {
    OpenFold fold;
    fold.incident = Incident::Decode(in);
    fold.joined = in->Signed();
    fold.acknowledged = in->Bool();
    for (std::size_t n = in->Count(18); n > 0 && in->ok(); --n) {
      const Hash128 incident = DecodeHash(in);
      const Member member(incident, static_cast<int>(in->Signed()));
      fold.members[member] = in->Bool();
      fresh.fold_of_[member] = fold.incident.id;
    }
    fresh.folds_[fold.incident.id] = std::move(fold);
  }
  for (std::size_t i = in->Count(19); i > 0 && in->ok(); --i) {
    Line line = decode_line();
    const auto level = static_cast<int>(in->Signed());
    fresh.newest_[{std::move(line), level}] = DecodeHash(in);
  }
  if (!in->ok()) fresh = PageGrouper(routes_);
  *this = std::move(fresh);
}

}  // namespace tocsin
