#include "demo/demo_screen.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::string_view kGood = "1;32";
constexpr std::string_view kEvent = "36";
constexpr std::size_t kTitleBytesMax = 200;
// Under the time at the start of a line.
constexpr std::string_view kIndent = "            ";
constexpr std::size_t kLabelWidth = 12;

}  // namespace

DemoScreen::DemoScreen(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {
  style_.colour = WantsColour(fileno(out));
}

void DemoScreen::Print(std::string_view text) {
  ClearLive();
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void DemoScreen::Row(const TrafficRow& row) {
  if (!WorthPrinting(row, printed_)) return;
  printed_ = row;
  Print(RowText(row, style_.colour) + "\n");
}

void DemoScreen::Note(TimeUs time, std::string_view text) {
  Moment(time, "● DEPLOY", text, kEvent);
}

void DemoScreen::Decided(const Decision& decision) {
  for (const Incident& incident : decision.incidents) Changed(decision.tick, incident);
  for (const Notification& notification : decision.notifications) {
    // A card for the page that wakes people; the ones before it would say the same with less.
    if (notification.action != NotificationAction::kTrigger || notification.level != 1) continue;
    Print("\n" + RenderCard(notification.incident, style_) + "\n");
  }
}

void DemoScreen::Changed(TimeUs tick, const Incident& incident) {
  const auto [at, opened] = known_.try_emplace(incident.number, incident);
  const Incident before = at->second;
  at->second = incident;
  const std::string_view colour = LevelColour(incident.severity_level);
  if (opened) {
    Moment(tick, "▲ DETECTED",
           absl::StrCat(incident.severity, " ", incident.number, ": ",
                        OneLine(incident.title, kTitleBytesMax)),
           colour);
    return;
  }
  if (incident.severity_level < before.severity_level) {
    Moment(tick, "▲ RAISED",
           absl::StrCat("to ", incident.severity, ": ",
                        OneLine(incident.severity_rule, kTitleBytesMax)),
           colour);
  }
  if (incident.state == before.state) return;
  switch (incident.state) {
    case IncidentState::kMonitoring:
      Moment(tick, "▽ CLEAR", "nothing fires any more; watched before it resolves", kGood);
      break;
    case IncidentState::kResolved:
      Moment(tick, "✔ RESOLVED", incident.number, kGood);
      break;
    default:
      Moment(tick, "▲ OPEN", absl::StrCat(incident.number, " fires again"), colour);
  }
}

void DemoScreen::Paged(const PagerDutyStandIn::Request& request) {
  if (request.action == "change") {
    const std::string text = "→ PagerDuty: change   " + OneLine(request.summary, 60);
    Print(absl::StrCat(ToAbsl(kIndent), Painted(text, "35", style_.colour), "\n"));
    return;
  }
  // The level is the end of the key; the rest of it is the incident.
  const std::size_t colon = request.dedup_key.rfind(':');
  const std::string level = colon == std::string::npos ? "" : request.dedup_key.substr(colon + 1);
  Print(absl::StrFormat(
      "%s%s\n", std::string(kIndent),
      Painted(absl::StrFormat("→ PagerDuty: %-8s SEVERITY %s   key %s", OneLine(request.action, 20),
                              OneLine(level, 4), OneLine(request.dedup_key, 40)),
              "35", style_.colour)));
}

void DemoScreen::Summary(const Incident& incident) {
  const auto line = [this](TimeUs time, const std::string& text) {
    Print(absl::StrCat("    ", FormatClock(time), "  ", text, "\n"));
  };
  Print(absl::StrCat("\n  ", incident.number, ", ", incident.severity, ":\n"));
  line(story::kDeploy, absl::StrCat(ToAbsl(story::kService), " ", ToAbsl(story::kVersion),
                                    " went out and began to leak"));
  line(incident.onset, "it began, as the signals say");
  line(incident.detected_at,
       absl::StrCat("detected, after ", RoughDuration(incident.detected_at - incident.onset)));
  line(story::kRollbackEnd, "rolled back");
  line(story::kLastFailure, "the last request failed because of it");
  if (incident.resolved_at != kNoTime) {
    line(incident.resolved_at,
         absl::StrCat("resolved, ", RoughDuration(incident.resolved_at - story::kLastFailure),
                      " after the last failure"));
  }
  const Impact& impact = incident.impact;
  Print(absl::StrFormat("    impact    %s of %s users, %s requests, %s transactions\n",
                        GroupedNumber(impact.users_affected.value_or(0)),
                        GroupedNumber(impact.users_total.value_or(0)),
                        GroupedNumber(impact.failed - impact.failed_transactions),
                        GroupedNumber(impact.failed_transactions)));
}

void DemoScreen::Moment(TimeUs time, std::string_view what, std::string_view text,
                        std::string_view colour) {
  std::string head = absl::StrCat("  ", FormatClock(time), "  ");
  const std::size_t width = static_cast<std::size_t>(style_.width) - kIndent.size() - kLabelWidth;
  std::string label(what);
  label.resize(kLabelWidth + 2, ' ');  // the mark is one character of three bytes
  for (const std::string& line : WrapText(text, width)) {
    Print(absl::StrCat(head, Painted(label + line, colour, style_.colour), "\n"));
    head = kIndent;
    label.assign(kLabelWidth, ' ');
  }
}

void DemoScreen::Live(std::string_view text) {
  if (!terminal_ || text == live_) return;
  live_ = text;
  std::fprintf(out_, "\r  %s\x1b[K", live_.c_str());
  std::fflush(out_);
}

void DemoScreen::ClearLive() {
  if (live_.empty()) return;
  std::fputs("\r\x1b[K", out_);
  live_.clear();
}

}  // namespace tocsin
