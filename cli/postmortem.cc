#include "cli/postmortem.h"

#include <algorithm>
#include <span>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/card.h"
#include "core/json_writer.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "sinks/incident_text.h"

namespace tocsin {
namespace {

constexpr std::size_t kPlotsMax = 8;

// Markdown's marks lose their meaning; so do links and HTML.
std::string Md(std::string_view text) {
  std::string escaped;
  for (const char c : Safe(text)) {
    if (std::string_view("\\`*_{}[]<>#|!~").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string Xml(std::string_view text) {
  return absl::StrReplaceAll(Safe(text),
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// A JSON string is a YAML string.
std::string Quoted(std::string_view text) {
  JsonWriter json;
  json.String(Safe(text));
  return json.Take();
}

struct Moment {
  TimeUs at = kNoTime;
  std::string what;
};

// What happened, in order of time; of equal times in the order in which one leads to the other.
std::vector<Moment> TimelineOf(const Incident& incident) {
  std::vector<Moment> moments;
  const auto add = [&](TimeUs at, std::string what) {
    if (at != kNoTime) moments.push_back({.at = at, .what = std::move(what)});
  };
  for (const Suspect& suspect : incident.suspects) {
    if (suspect.kind == "deploy") add(suspect.at, "Deploy of " + Safe(suspect.name));
  }
  add(incident.onset, "It began");
  for (const Signal& signal : incident.signals) {
    const std::string name = Safe(signal.detector) + " (" + OwnLabelsText(incident, signal) + ")";
    // Its value is that of now; what it was then is in the plot.
    add(signal.fired_at, name + " fired, threshold " + ValueText(signal, signal.threshold));
    add(signal.cleared_at, name + " cleared");
  }
  add(incident.detected_at, "Detected: " + Safe(incident.number) + " opened");
  for (const LevelTimes& level : incident.levels) {
    add(level.paged_at, absl::StrCat("Paged at level ", level.level));
  }
  for (const TimelineEntry& entry : incident.timeline) {
    std::string what = Safe(entry.author) + ": " + Safe(entry.what);
    if (!entry.text.empty()) what += ", " + Safe(entry.text);
    add(entry.at, std::move(what));
  }
  add(incident.resolved_at, "Resolved");
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at < b.at; });
  return moments;
}

std::string LengthText(TimeUs from, TimeUs to) {
  return from == kNoTime || to == kNoTime ? "not yet" : RoughDuration(to - from);
}

// A line of the last panes from 0 to the largest, with the threshold dashed.
std::string PlotSvg(const Incident& incident, const Signal& signal,
                    std::span<const std::optional<double>> values) {
  constexpr double kWidth = 640, kHeight = 160, kTop = 28, kBottom = 20;
  const double top = std::max(Largest(values), signal.threshold);
  const auto y = [&](double value) {
    const double share = top > 0 ? std::clamp(value / top, 0.0, 1.0) : 0;
    return kTop + (1 - share) * (kHeight - kTop - kBottom);
  };
  const double step = values.size() > 1 ? kWidth / static_cast<double>(values.size() - 1) : kWidth;
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) {
      absl::StrAppend(&path, pen_down ? "L" : "M", FormatNumber(step * static_cast<double>(i)), " ",
                      FormatNumber(y(*values[i])));
    }
    pen_down = values[i].has_value();
  }
  const std::string line = FormatNumber(y(signal.threshold));
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 160\" width=\"640\" "
      "height=\"160\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"640\" height=\"160\" fill=\"#fff\"/>\n<text x=\"4\" y=\"16\">",
      Xml(signal.detector), " ", Xml(OwnLabelsText(incident, signal)), ": 0 to ",
      Xml(ValueText(signal, top)), "</text>\n<path d=\"M0 ", line,
      "H640\" stroke=\"#c33\" "
      "stroke-dasharray=\"4 4\"/>\n<path d=\"",
      path,
      "\" fill=\"none\" stroke=\"#246\" stroke-width=\"2\"/>\n<text x=\"4\" y=\"154\" "
      "fill=\"#c33\">threshold ",
      Xml(ValueText(signal, signal.threshold)), "</text>\n</svg>\n");
}

void AddPlots(const Incident& incident, Postmortem* draft) {
  for (const Signal& signal : incident.signals) {
    const Evidence* panes = FindEvidence(signal, "panes");
    if (panes == nullptr || draft->plots.size() >= kPlotsMax) continue;
    const std::vector<std::optional<double>> values = PlotOf(*panes);
    if (values.empty()) continue;
    const std::string file = absl::StrCat(incident.number, "-", draft->plots.size() + 1, ".svg");
    absl::StrAppend(&draft->markdown, "![", Md(signal.detector), "](", file, ")\n\n");
    draft->plots.emplace_back(file, PlotSvg(incident, signal, values));
  }
}

}  // namespace

Postmortem DraftPostmortem(const Incident& incident) {
  Postmortem draft;
  std::string& md = draft.markdown;
  absl::StrAppend(&md, "# ", Md(incident.number), ": ", Md(incident.title), "\n\n## Summary\n\n");
  absl::StrAppend(&md, "| | |\n|---|---|\n| Severity | ", Md(incident.severity), " (",
                  Md(incident.severity_rule), ") |\n| Where | ", Md(WhereText(incident)),
                  " |\n| Began | ", DateAndClockText(incident.onset), " |\n| Detected | ",
                  DateAndClockText(incident.detected_at), " |\n");
  if (incident.paged_at() != kNoTime) {
    absl::StrAppend(&md, "| Paged | ", DateAndClockText(incident.paged_at()), " |\n");
  }
  if (incident.resolved_at != kNoTime) {
    absl::StrAppend(&md, "| Resolved | ", DateAndClockText(incident.resolved_at), " |\n");
  }
  absl::StrAppend(
      &md, "| Time to detect | ", LengthText(incident.onset, incident.detected_at),
      " |\n| Time to page | ", LengthText(incident.onset, incident.paged_at()),
      " |\n| Time to acknowledge | ", LengthText(incident.detected_at, incident.acknowledged_at),
      " |\n| Time to resolve | ", LengthText(incident.detected_at, incident.resolved_at),
      " |\n\n## Impact\n\n- Users: ", UsersText(incident.impact),
      "\n- Failed: ", FailedText(incident.impact), "\n");
  if (incident.partial) md += "- Counted in part: a limit was reached, or a source was away.\n";
  md += "\n## Timeline (UTC)\n\n";
  for (const Moment& moment : TimelineOf(incident)) {
    absl::StrAppend(&md, "- ", ClockText(moment.at), " ", Md(moment.what), "\n");
  }
  md += "\n## Root cause\n\nSuspected, the likeliest first:\n\n";
  for (const Suspect& suspect : incident.suspects) {
    absl::StrAppend(&md, "1. ", Md(suspect.kind), " ", Md(suspect.name), ": ", Md(suspect.reason),
                    "\n");
  }
  if (incident.suspects.empty()) md += "Nothing.\n";
  md += "\n## Resolution\n\nAdvised:\n\n";
  for (const std::string& advice : incident.advice) absl::StrAppend(&md, "- ", Md(advice), "\n");
  md +=
      "\n## What went well\n\n-\n\n## What did not\n\n-\n\n## Action items\n\n- [ ]\n\n## "
      "Plots\n\n";
  AddPlots(incident, &draft);
  return draft;
}

std::string RecordYaml(const Incident& incident) {
  const auto time = [](TimeUs at) { return at == kNoTime ? std::string("null") : FormatTime(at); };
  const auto seconds = [](TimeUs from, TimeUs to) {
    return from == kNoTime || to == kNoTime ? std::string("null")
                                            : absl::StrCat((to - from) / kSecondUs);
  };
  const Impact& impact = incident.impact;
  const TimeUs end = incident.resolved_at;
  std::string yaml = absl::StrCat(
      "id: ", Quoted(incident.number), "\nincident: ", Quoted(incident.id.Hex()),
      "\nseverity: ", Quoted(incident.severity), "\nseverity_level: ", incident.severity_level,
      "\ntitle: ", Quoted(incident.title), "\ncomponent: ", Quoted(incident.component),
      "\nstate: ", ToAbsl(IncidentStateName(incident.state)), "\nstarted: ", time(incident.onset),
      "\ndetected: ", time(incident.detected_at),
      "\ndetected_by: ", Quoted(incident.signals.empty() ? "" : incident.signals.front().detector),
      "\npaged: ", time(incident.paged_at()), "\nacknowledged: ", time(incident.acknowledged_at),
      "\nresolved: ", time(end),
      "\ntime_to_detect_s: ", seconds(incident.onset, incident.detected_at),
      "\ntime_to_page_s: ", seconds(incident.onset, incident.paged_at()),
      "\ntime_to_acknowledge_s: ", seconds(incident.detected_at, incident.acknowledged_at),
      "\ntime_to_resolve_s: ", seconds(incident.detected_at, end), "\nimpact:\n  users_affected: ");
  absl::StrAppend(
      &yaml, impact.users_affected ? absl::StrCat(*impact.users_affected) : "null",
      "\n  users_total: ", impact.users_total ? absl::StrCat(*impact.users_total) : "null",
      "\n  failed: ", impact.failed, "\n  failed_transactions: ", impact.failed_transactions,
      "\n  revenue: ", impact.revenue ? FormatNumber(*impact.revenue) : "null", "\n  minutes: ",
      end == kNoTime || incident.onset == kNoTime
          ? "null"
          : absl::StrCat((end - incident.onset + kMinuteUs - 1) / kMinuteUs),
      "\n");
  yaml += "timeline:\n";
  for (const Moment& moment : TimelineOf(incident)) {
    absl::StrAppend(&yaml, "  - {at: ", time(moment.at), ", what: ", Quoted(moment.what), "}\n");
  }
  yaml += "suspects:\n";
  for (const Suspect& suspect : incident.suspects) {
    absl::StrAppend(&yaml, "  - {kind: ", Quoted(suspect.kind), ", name: ", Quoted(suspect.name),
                    ", reason: ", Quoted(suspect.reason), "}\n");
  }
  yaml += "action_items: []\n";
  return yaml;
}

}  // namespace tocsin
