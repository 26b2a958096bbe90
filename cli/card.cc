#include "cli/card.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/incident_text.h"

namespace tocsin {
namespace {

// What fits on a screen; the incident line has the rest.
constexpr std::size_t kSignalsMax = 4;
constexpr std::size_t kSuspectsMax = 3;
constexpr std::size_t kAdviceMax = 5;
constexpr std::size_t kLabelWidth = 11;

// Bytes of the first `n` code points.
std::size_t PrefixBytes(std::string_view text, std::size_t n) {
  std::size_t at = 0;
  while (at < text.size()) {
    const bool starts = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (starts && n-- == 0) break;
    ++at;
  }
  return at;
}

// The lines of a card, each behind the bar of its severity.
class Card {
 public:
  Card(const CardStyle& style, int level)
      : style_(style), width_(static_cast<std::size_t>(std::max(style.width, 40))) {
    colour_ = LevelColour(level);
  }

  void Edge(std::string_view corner, std::string_view text) {
    std::string line = absl::StrCat(ToAbsl(corner), ToAbsl(text));
    for (std::size_t used = CodePoints(line); used < width_; ++used) line += "━";
    out_ += Painted(line, colour_, style_.colour) + "\n";
  }
  void Blank() { out_ += Painted("┃", colour_, style_.colour) + "\n"; }
  void Line(std::string_view text, std::string_view code = "") {
    absl::StrAppend(&out_, Painted("┃", colour_, style_.colour), " ",
                    Painted(text, code, style_.colour && !code.empty()), "\n");
  }
  void Title(std::string_view text) {
    for (const std::string& line : WrapText(text, width_ - 2)) Line(line, "1");
  }
  // `text` behind its label; more of the same label goes below with an empty one.
  void Field(std::string_view label, std::string_view text, std::string_view code = "") {
    std::string head(label);
    for (const std::string& line : WrapText(text, width_ - 2 - kLabelWidth)) {
      head.resize(kLabelWidth, ' ');
      Line(Painted(head, kDim, style_.colour) +
           Painted(line, code, style_.colour && !code.empty()));
      head.clear();
    }
  }
  // One line, without its oldest panes where it would be too long: a plot cannot be broken.
  template <typename Legend>
  void Plot(std::span<const std::optional<double>> values, Legend legend) {
    const auto columns = [&] {
      return 2 + kLabelWidth + values.size() + 2 + CodePoints(legend(values));
    };
    while (!values.empty() && columns() > width_) values = values.subspan(1);
    if (values.empty()) return;
    Line(absl::StrCat(std::string(kLabelWidth, ' '),
                      Painted(Sparkline(values), colour_, style_.colour), "  ",
                      Painted(legend(values), kDim, style_.colour)));
  }

  std::string Take() { return std::move(out_); }

 private:
  const CardStyle& style_;
  const std::size_t width_;
  std::string_view colour_;
  std::string out_;
};

void AddTimes(const Incident& incident, Card* card) {
  std::string since = DateAndClockText(incident.onset);
  if (incident.detected_at != kNoTime && incident.onset != kNoTime) {
    absl::StrAppend(&since, ", detected at ", ClockText(incident.detected_at), " (",
                    RoughDuration(incident.detected_at - incident.onset), " later)");
  }
  card->Field("Since", since);
  if (incident.acknowledged_at != kNoTime) {
    card->Field("Taken", absl::StrCat("by ", Safe(incident.acknowledged_by), " at ",
                                      ClockText(incident.acknowledged_at)));
  }
  if (!incident.muted_by.empty()) {
    card->Field("Muted", absl::StrCat("by ", Safe(incident.muted_by), ": pages nobody"));
  }
  if (incident.resolved_at != kNoTime) {
    card->Field("Resolved", absl::StrCat(DateAndClockText(incident.resolved_at), " (",
                                         RoughDuration(incident.resolved_at - incident.onset),
                                         " after it began)"));
  }
}

// What else began then, and what was going on already.
void AddCompany(const Incident& incident, Card* card) {
  bool first = true;
  for (const TimelineEntry& entry : incident.timeline) {
    if (entry.what != kJoinedTogether) continue;
    card->Field(first ? "Together" : "", Safe(entry.text));
    first = false;
  }
  if (incident.beside.empty()) return;
  card->Field("Beside", absl::StrCat(Safe(absl::StrJoin(incident.beside, ", ")),
                                     ": began long after that last got worse"));
}

void AddImpact(const Impact& impact, Card* card) {
  card->Field("Users", UsersText(impact));
  card->Field("Failed", FailedText(impact));
}

void AddEvidence(const Incident& incident, const CardStyle& style, Card* card) {
  std::vector<const Signal*> signals;
  for (const Signal& signal : incident.signals) signals.push_back(&signal);
  // What still fires says most, then the most severe, then what came first.
  std::stable_sort(signals.begin(), signals.end(), [](const Signal* a, const Signal* b) {
    if (a->firing() != b->firing()) return a->firing();
    return a->level != b->level ? a->level < b->level : a->onset < b->onset;
  });
  const std::size_t shown = std::min(signals.size(), kSignalsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const Signal& signal = *signals[i];
    std::string text = absl::StrCat(Safe(signal.detector), " ", OwnLabelsText(incident, signal),
                                    ": ", ValueText(signal, signal.value));
    absl::StrAppend(&text, signal.firing() ? " (above " : " now (was above ",
                    ValueText(signal, signal.threshold), ")");
    card->Field(i == 0 ? "Evidence" : "", text);
    const Evidence* plot = FindEvidence(signal, "panes");
    if (plot == nullptr) continue;
    card->Plot(PlotOf(*plot), [&](std::span<const std::optional<double>> values) {
      return absl::StrCat("0 to ", ValueText(signal, Largest(values)), ", last ",
                          RoughDuration(style.pane * static_cast<DurationUs>(values.size())));
    });
  }
  const std::size_t more = signals.size() - shown + style.signals_omitted;
  if (more > 0) {
    card->Field("", absl::StrCat("and ", more, " more signal", more == 1 ? "" : "s"), kDim);
  }
}

void AddSuspects(const Incident& incident, Card* card) {
  const std::size_t shown = std::min(incident.suspects.size(), kSuspectsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const Suspect& suspect = incident.suspects[i];
    std::string text = absl::StrCat(Safe(suspect.kind), " ", Safe(suspect.name));
    if (suspect.at != kNoTime) absl::StrAppend(&text, " at ", ClockText(suspect.at));
    if (!suspect.reason.empty()) absl::StrAppend(&text, ": ", Safe(suspect.reason));
    card->Field(i == 0 ? "Suspects" : "", text, i == 0 ? "1" : "");
  }
}

void AddNextSteps(const Incident& incident, Card* card) {
  for (std::size_t i = 0; i < std::min(incident.advice.size(), kAdviceMax); ++i) {
    card->Field(i == 0 ? "Do" : "", absl::StrCat(i + 1, ". ", Safe(incident.advice[i])));
  }
  if (!incident.runbook.empty()) card->Field("Runbook", Safe(incident.runbook));
  if (!incident.escalate_to.empty()) {
    card->Field("Call", Safe(absl::StrJoin(incident.escalate_to, ", ")));
  }
  std::string respond =
      incident.respond_within_s
          ? absl::StrCat("within ", RoughDuration(*incident.respond_within_s * kSecondUs))
          : std::string("the next business day");
  if (incident.next_update_at != kNoTime) {
    const bool today = FloorTo(incident.next_update_at, kDayUs) == FloorTo(incident.onset, kDayUs);
    absl::StrAppend(
        &respond, "; next status update at ",
        today ? ClockText(incident.next_update_at) : DateAndClockText(incident.next_update_at));
  }
  card->Field("Respond", respond);
}

}  // namespace

std::size_t CodePoints(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string CutColumns(std::string_view text, std::size_t columns) {
  if (text.size() <= columns || CodePoints(text) <= columns) return std::string(text);
  return absl::StrCat(ToAbsl(text.substr(0, PrefixBytes(text, columns - 1))), "…");
}

std::string RenderCard(const Incident& incident, const CardStyle& style) {
  Card card(style, incident.severity_level);
  card.Edge("┏━ ", absl::StrCat(Safe(incident.severity), " ━━ ", Safe(incident.number), " ━━ ",
                                ToAbsl(IncidentStateName(incident.state)), " "));
  card.Title(Safe(incident.title));
  card.Blank();
  AddTimes(incident, &card);
  card.Field("Where", WhereText(incident));
  if (!incident.classification.empty()) card.Field("Looks like", Safe(incident.classification));
  AddImpact(incident.impact, &card);
  if (!incident.severity_rule.empty()) card.Field("Level", Safe(incident.severity_rule));
  AddCompany(incident, &card);
  card.Blank();
  AddEvidence(incident, style, &card);
  card.Blank();
  AddSuspects(incident, &card);
  if (incident.state != IncidentState::kResolved) {
    card.Blank();
    AddNextSteps(incident, &card);
  }
  card.Edge("┗", "");
  return card.Take();
}

bool WantsColour(int file_descriptor) {
  return isatty(file_descriptor) == 1 && std::getenv("NO_COLOR") == nullptr;
}

std::string Sparkline(std::span<const std::optional<double>> values) {
  constexpr std::string_view kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr int kSteps = 8;
  const double largest = Largest(values);
  std::string line;
  for (const std::optional<double>& value : values) {
    if (!value) {
      line += ' ';
      continue;
    }
    const int step = largest > 0 ? static_cast<int>(*value / largest * kSteps) : 0;
    line += kBlocks[std::clamp(step, 0, kSteps - 1)];
  }
  return line;
}

std::vector<std::string> WrapText(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  std::size_t used = 0;
  for (absl::string_view piece : absl::StrSplit(ToAbsl(text), ' ', absl::SkipEmpty())) {
    std::string_view word = FromAbsl(piece);
    std::size_t length = CodePoints(word);
    if (used > 0 && used + 1 + length > width) {
      lines.emplace_back();
      used = 0;
    }
    if (used > 0) {
      lines.back() += ' ';
      ++used;
    }
    for (; length > width; length -= width) {
      const std::size_t bytes = PrefixBytes(word, width);
      lines.back() += word.substr(0, bytes);
      lines.emplace_back();
      word.remove_prefix(bytes);
    }
    lines.back() += word;
    used += length;
  }
  return lines;
}

std::string Painted(std::string_view text, std::string_view code, bool colour) {
  if (!colour || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", ToAbsl(code), "m", ToAbsl(text), "\x1b[0m");
}

std::string_view LevelColour(int level) {
  constexpr std::string_view kColours[] = {"1;31", "1;33", "36", "37"};
  return kColours[std::clamp(level, 1, 4) - 1];
}

}  // namespace tocsin
