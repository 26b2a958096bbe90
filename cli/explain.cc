#include "cli/explain.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/explain_incident.h"
#include "cli/incident_source.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "correlate/correlator.h"
#include "ingest/decoder.h"
#include "ingest/formats/detect_format.h"
#include "ingest/sources/file_source.h"
#include "replay/replayer.h"
#include "sinks/incident_line.h"
#include "sinks/incident_text.h"
#include "sinks/routing.h"

namespace tocsin {
namespace {

std::string ValueOf(const FieldRef& field, const Event& event) {
  std::array<char, 12> scratch;
  return std::string(field.Get(event, scratch));
}

std::string Joined(const std::vector<std::string>& texts) {
  std::vector<std::string> safe;
  for (const std::string& text : texts) safe.push_back(Safe(text));
  return absl::StrJoin(safe, ", ");
}

std::string Line(std::string_view label, const std::string& text) {
  std::string padded(label);
  padded.resize(12, ' ');
  return absl::StrCat("    ", padded, text, "\n");
}

// "request of service=api endpoint=/x, 2026-03-10T21:05:00Z".
std::string EventText(const Event& event) {
  const std::string_view type = EventTypeName(event.type);
  std::string text = type.empty() ? "event without a type" : std::string(type);
  std::vector<std::string> about;
  for (const Field field : {Field::kEnv, Field::kService, Field::kDependency, Field::kEndpoint,
                            Field::kName, Field::kVersion}) {
    const std::string_view value = event.Get(field);
    if (value.empty()) continue;
    about.push_back(absl::StrCat(ToAbsl(FieldName(field)), "=", Safe(value)));
  }
  if (!about.empty()) absl::StrAppend(&text, " of ", absl::StrJoin(about, " "));
  absl::StrAppend(&text, ", ", FormatTime(event.time));
  if (event.failed) text += ", failed";
  return text;
}

bool ReadsInput(const Detector& detector, std::string_view input) {
  const std::vector<std::string> inputs = detector.Spec().inputs;
  return inputs.empty() || input.empty() ||
         std::find(inputs.begin(), inputs.end(), input) != inputs.end();
}

}  // namespace

Signal Explainer::SignalOf(const Detector& detector, const Event& event) const {
  const DetectorCommon& common = detector.common();
  Signal signal;
  signal.detector = common.name;
  signal.kind = common.kind;
  std::vector<std::string> names = config_.ScopeNames();
  for (const FieldRef& field : config_.scope) AppendKeyPart(ValueOf(field, event), &signal.scope);
  std::string key = signal.scope;
  for (const FieldRef& field : common.by) {
    names.push_back(field.Name());
    AppendKeyPart(ValueOf(field, event), &key);
  }
  signal.series = LabelsFromKey(names, key);
  signal.category = detector.CategoryOf("");
  signal.degraded_only = common.degraded_only;
  signal.level = 5;
  for (const LevelConfig& level : common.level) {
    if (!level.set || level.level >= signal.level) continue;
    signal.level = level.level;
    signal.value = signal.threshold = level.above;
  }
  signal.onset = FloorTo(event.time, config_.pane);
  signal.fired_at = signal.onset + 2 * config_.pane;
  signal.began = {.earliest = signal.onset, .latest = signal.onset + config_.pane};
  signal.drifts = detector.Drifts(signal.series);
  signal.id = SignalId(signal.detector, LabelsText(signal.series), signal.fired_at);
  return signal;
}

std::string Explainer::GroupingText(const Signal& signal) const {
  std::vector<std::string> own;
  std::vector<std::string> connected;
  for (const Component& component : ComponentsOf(signal)) {
    own.push_back(component.name);
    const Topology::Neighbours neighbours = topology_.NeighboursOf(component);
    connected.insert(connected.end(), neighbours.names.begin(), neighbours.names.end());
    if (neighbours.every_service) connected.emplace_back("every service");
    if (neighbours.every_dependency) connected.emplace_back("every dependency");
  }
  if (own.empty()) return "only what has its series: it names no service and no dependency";
  std::string text = absl::StrCat("what is about ", Joined(own));
  if (!connected.empty()) absl::StrAppend(&text, " or, by the topology, ", Joined(connected));
  return absl::StrCat(text, "; onsets within ", FormatDuration(config_.correlate.join_window),
                      ", or while it fires and has got worse of late");
}

// What it would join only because both began then.
std::string Explainer::CoincidenceRule(const Signal& signal) const {
  const DurationUs within = config_.correlate.coincidence;
  if (within == 0) return "nothing: coincidence is 0s";
  if (signal.drifts) return "nothing: it drifts, so when it began says nothing about others";
  const std::string kind =
      signal.category == Category::kSecurity || signal.category == Category::kData
          ? absl::StrCat("another ", ToAbsl(CategoryName(signal.category)), " signal that")
          : "whatever fails, is slow or full and";
  return absl::StrCat(kind, " begins within ", FormatDuration(within),
                      " of it, unless the topology knows that they share nothing");
}

std::string Explainer::NextStepsText(const Incident& incident) const {
  std::vector<std::string> steps;
  if (incident.next_update_at != kNoTime) {
    steps.push_back("status update due at " + DateAndClockText(incident.next_update_at));
  }
  const auto index = static_cast<std::size_t>(incident.severity_level - 1);
  for (const SeverityScheme::EscalationStep& step : config_.severity.escalation[index]) {
    steps.push_back(absl::StrCat("after ", FormatDuration(step.after),
                                 " without an acknowledgement calls ", Joined(step.to)));
  }
  return steps.empty() ? "" : absl::StrJoin(steps, "; ");
}

std::string Explainer::ExplainIncident(const Signal& signal, const std::string& title) const {
  Correlator correlator(config_);
  std::vector<std::pair<std::string, Fact>> facts;
  for (const Fact& deploy : deploys_) {
    if (deploy.time <= signal.onset) facts.emplace_back(signal.scope, deploy);
  }
  const std::vector<TitledChange> changes = {
      {.change = {.kind = SignalChangeKind::kFired, .signal = signal}, .title = title}};
  Incident incident;
  std::optional<Notification> page;
  // The first page waits one tick for a cause upstream.
  for (TimeUs tick = signal.fired_at; tick <= signal.fired_at + config_.pane;
       tick += config_.pane) {
    const bool first = tick == signal.fired_at;
    CorrelatorOutput out;
    correlator.Tick({.tick = tick,
                     .pane_end = tick - config_.pane,
                     .partial = false,
                     .changes = first ? changes : std::vector<TitledChange>(),
                     .impacts = {},
                     .facts = first ? facts : std::vector<std::pair<std::string, Fact>>(),
                     .users = {}},
                    &out);
    if (!out.lines.empty()) incident = out.lines.back();
    for (Notification& notification : out.notifications) {
      if (notification.action == NotificationAction::kTrigger) page = std::move(notification);
    }
  }
  std::string text =
      Line("joins", GroupingText(signal)) + Line("together", CoincidenceRule(signal));
  const std::string respond =
      incident.respond_within_s ? "within " + FormatDuration(*incident.respond_within_s * kSecondUs)
                                : "on the next business day";
  text += Line("severity", absl::StrCat(Safe(incident.severity), " (", Safe(incident.severity_rule),
                                        "), respond ", respond));
  for (const Suspect& suspect : incident.suspects) {
    text += Line("suspect", absl::StrCat(Safe(suspect.kind), " ", Safe(suspect.name), ": ",
                                         Safe(suspect.reason)));
  }
  if (!incident.muted_by.empty()) {
    return text + Line("muted by", Safe(incident.muted_by) + ": tracked, and nobody is told");
  }
  std::vector<std::string> told;
  if (page) {
    for (const Sink* sink : Route(config_.routes, sinks_, *page)) {
      told.push_back(
          absl::StrCat(sink->name(), " (", sink->kind(), sink->pages() ? ", pages" : "", ")"));
    }
  }
  text += Line("told", told.empty() ? "nobody" : Joined(told));
  if (!incident.escalate_to.empty()) text += Line("called", Joined(incident.escalate_to));
  const std::string next = NextStepsText(incident);
  if (!next.empty()) text += Line("next", next);
  return text;
}

std::string Explainer::ExplainDetector(const Detector& detector, const Event& event) const {
  const Signal signal = SignalOf(detector, event);
  const auto advice = config_.advice.find(detector.common().name);
  const std::string title = advice == config_.advice.end() ? "" : advice->second.title;
  std::string text = absl::StrCat("  ", detector.common().name, " (", detector.common().kind,
                                  ") counts it in ", Safe(LabelsText(signal.series)), "\n");
  if (!title.empty()) text += Line("would say", Safe(title));
  return text + ExplainIncident(signal, title);
}

std::string Explainer::Explain(const Event& event, std::string_view input) const {
  std::string text = EventText(event) + "\n";
  std::string others;
  std::size_t of_other_types = 0;
  bool read = false;
  for (const std::unique_ptr<Detector>& detector : setup_.detectors) {
    const Predicate where = detector->Spec().where;
    const std::string& name = detector->common().name;
    const std::optional<SeriesSpec> explaining = detector->Explaining();
    if (explaining && explaining->where.Matches(event)) {
      absl::StrAppend(&text, "  ", name, " (", detector->common().kind,
                      ") is explained by it, where its service is the same\n");
      read = true;
      continue;
    }
    if (!ReadsInput(*detector, input)) {
      absl::StrAppend(&others, "  not for ", name, ": it reads other inputs\n");
    } else if (where.Matches(event)) {
      text += ExplainDetector(*detector, event);
      read = true;
    } else if (where.MatchesType(event.type)) {
      absl::StrAppend(&others, "  not for ", name, ": it reads ", Safe(where.ToString()), "\n");
    } else {
      ++of_other_types;
    }
  }
  if (event.type == EventType::kDeploy) {
    absl::StrAppend(&text, "  a deploy: suspected of what begins within ",
                    FormatDuration(config_.correlate.deploy_window), " after it\n");
  }
  if (!read) text += "  no detector reads it\n";
  text += others;
  if (of_other_types > 0) {
    absl::StrAppend(&text, "  not for ", of_other_types, " that read other types of events\n");
  }
  return text;
}

namespace {

// Hands every event of the arguments on; what is none is an error.
class ArgumentReader final : public EventSink {
 public:
  using OnRead = std::function<void(const Event&)>;
  explicit ArgumentReader(OnRead on_read) : on_read_(std::move(on_read)) {}

  void OnEvent(const Event& event) override { on_read_(event); }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    if (!status_.ok()) return;
    status_ =
        absl::InvalidArgumentError(absl::StrCat(ToAbsl(reason), ": ", Safe(bytes.substr(0, 160))));
  }

  absl::Status Read(const Config& config, const ExplainCommand& command) {
    for (const std::string& argument : command.events) {
      const bool text = argument.find_first_of("{[") == 0;
      InputConfig input = InputFor(config, text ? "" : argument, "", command.format);
      ErrorList errors;
      // What is typed is of now, unless it says when it was.
      const TimeUs written = TimeWritten(text ? "-" : argument);
      input.record_time = written;
      if (!text) TOCSIN_RETURN_IF_ERROR(ResolveFormat(argument, &input));
      const std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
      if (decoder == nullptr) return absl::InvalidArgumentError(ErrorsText(errors));
      if (text) {
        decoder->Decode(argument, written, this);
      } else {
        TOCSIN_ASSIGN_OR_RETURN(const std::unique_ptr<LineReader> reader,
                                OpenLineReader(argument, {.framing = FramingOf(input.format)}));
        LineReader::Line line;
        while (reader->Next(&line) == LineReader::Result::kLine) {
          decoder->Decode(line.text, line.time, this);
        }
        TOCSIN_RETURN_IF_ERROR(reader->status());
      }
      TOCSIN_RETURN_IF_ERROR(status_);
    }
    return absl::OkStatus();
  }

 private:
  const OnRead on_read_;
  absl::Status status_;
};

bool NamesIncident(const std::string& argument) {
  return argument.starts_with("INC-") || Hash128::FromHex(argument).has_value();
}

// Takes the incidents out of the arguments.
absl::Status ExplainIncidents(const Config& config, ExplainCommand* command) {
  std::vector<std::string> names;
  std::erase_if(command->events, [&](const std::string& argument) {
    if (!NamesIncident(argument)) return false;
    names.push_back(argument);
    return true;
  });
  if (names.empty()) return absl::OkStatus();
  ApiOptions api;
  api.config = command->config;
  TOCSIN_ASSIGN_OR_RETURN(const IncidentSource source,
                          IncidentSource::Open(api, command->incidents));
  for (const std::string& name : names) {
    TOCSIN_ASSIGN_OR_RETURN(const std::string line, source.Line(name));
    TOCSIN_ASSIGN_OR_RETURN(const Incident incident, ReadIncident(line));
    std::fputs(ExplainIncident(incident, Topology(config.correlate.topology)).c_str(), stdout);
  }
  return absl::OkStatus();
}

absl::Status ExplainAll(const Config& config, ExplainCommand command) {
  TOCSIN_RETURN_IF_ERROR(ExplainIncidents(config, &command));
  if (command.events.empty()) return absl::OkStatus();
  ErrorList errors(ErrorList::Secrets::kNotNeeded);
  const std::unique_ptr<EngineSetup> setup = EngineSetup::Build(&config, &errors);
  const std::vector<std::unique_ptr<Sink>> sinks = NewSinks(config, &errors);
  if (!errors.empty()) return absl::InvalidArgumentError(ErrorsText(errors));
  std::vector<Fact> deploys;
  ArgumentReader facts([&](const Event& event) {
    if (event.type == EventType::kDeploy) deploys.push_back(Fact::FromEvent(event));
  });
  TOCSIN_RETURN_IF_ERROR(facts.Read(config, command));
  std::sort(deploys.begin(), deploys.end(), FactBefore);
  const Explainer explainer(config, *setup, sinks, deploys);
  ArgumentReader events([&](const Event& event) {
    std::fputs(explainer.Explain(event, command.input).c_str(), stdout);
  });
  return events.Read(config, command);
}

}  // namespace

int ExplainEvents(const ExplainCommand& command) {
  const std::optional<Config> config = LoadOrExplain(command.config);
  if (!config) return kFinding;
  const absl::Status status = ExplainAll(*config, command);
  const int code = ExitWith(status);
  return absl::IsNotFound(status) ? kFinding : code;
}

}  // namespace tocsin
