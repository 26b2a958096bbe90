// `tocsin incidents`, `tocsin silences` and `tocsin postmortem`: what people do about incidents
// from a terminal.

#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/api_client.h"
#include "cli/card.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/incident_source.h"
#include "cli/postmortem.h"
#include "cli/text_table.h"
#include "core/json_writer.h"
#include "core/status_macros.h"
#include "sinks/incident_line.h"
#include "sinks/incident_text.h"
#include "sinks/message_templates.h"

namespace tocsin {
namespace {

// How long an act is waited for: it is written with the next turn of the reader, and decided after.
constexpr int kEffectTries = 50;
constexpr absl::Duration kEffectEvery = absl::Milliseconds(100);

int Explain(const absl::Status& status) {
  if (status.ok()) return kDone;
  std::fprintf(stderr, "tocsin: %s\n", std::string(status.message()).c_str());
  if (absl::IsNotFound(status)) return kFinding;
  return absl::IsInvalidArgument(status) ? kUsage : kEnvironment;
}

std::string Author(const std::string& given) {
  if (!given.empty()) return given;
  const char* user = std::getenv("USER");
  return user == nullptr || *user == '\0' ? "unknown" : user;
}

std::string Text(const simdjson::dom::element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? Safe(text) : "";
}

absl::Status PrintList(const std::string& json, bool all) {
  simdjson::dom::parser parser;
  simdjson::dom::array incidents;
  if (parser.parse(json)["incidents"].get(incidents) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply is no list of incidents");
  }
  if (incidents.size() == 0) {
    std::puts(all ? "No incidents." : "No open incidents.");
    return absl::OkStatus();
  }
  TextTable table({"NUMBER", "SEVERITY", "STATE", "SINCE", "TITLE"});
  for (const simdjson::dom::element incident : incidents) {
    std::string state = Text(incident, "state");
    if (!Text(incident, "muted_by").empty()) state += "*";
    std::int64_t level = 4;
    if (incident["severity_level"].get(level) != simdjson::SUCCESS) level = 4;
    table.Add({Text(incident, "number"), Text(incident, "severity"), state, Text(incident, "onset"),
               Text(incident, "title")},
              {.painted = 1, .colour = LevelColour(static_cast<int>(level))});
  }
  std::fputs(table.Text(TerminalOf(STDOUT_FILENO)).c_str(), stdout);
  return absl::OkStatus();
}

// What became of its messages: "oncall: trigger 2 delivered".
absl::Status PrintDeliveries(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::array deliveries;
  if (parser.parse(json)["deliveries"].get(deliveries) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply is no list of deliveries");
  }
  for (const simdjson::dom::element delivery : deliveries) {
    std::int64_t level = 0;
    std::int64_t attempts = 0;
    if (delivery["level"].get(level) != simdjson::SUCCESS ||
        delivery["attempts"].get(attempts) != simdjson::SUCCESS) {
      continue;
    }
    const std::string state = Text(delivery, "state");
    std::string line = absl::StrCat(Text(delivery, "sink"), ": ", Text(delivery, "action"),
                                    " of level ", level, " ", state);
    if (attempts > 1) absl::StrAppend(&line, " after ", attempts, " attempts");
    if (state == "parked") absl::StrAppend(&line, ", see `tocsin incidents retry`");
    const std::string error = Text(delivery, "last_error");
    if (!error.empty()) absl::StrAppend(&line, ": ", error);
    std::puts(line.c_str());
  }
  return absl::OkStatus();
}

absl::Status RetryParked(const IncidentsCommand& command) {
  TOCSIN_RETURN_IF_ERROR(CheckName(command.incident));
  TOCSIN_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::Open(command.api));
  TOCSIN_ASSIGN_OR_RETURN(const std::string reply,
                          client.Post("/api/v1/incidents/" + command.incident + "/retry", "{}"));
  simdjson::dom::parser parser;
  std::int64_t retried = 0;
  if (parser.parse(reply)["retried"].get(retried) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply does not say what is tried again");
  }
  std::puts(retried == 0 ? "Nothing is parked."
                         : absl::StrCat(retried, " tried again; see `tocsin incidents show ",
                                        command.incident, "`")
                               .c_str());
  return absl::OkStatus();
}

absl::Status Show(const std::string& line, const std::string& format) {
  if (format == "json") {
    std::fputs((std::string(absl::StripAsciiWhitespace(line)) + "\n").c_str(), stdout);
    return absl::OkStatus();
  }
  TOCSIN_ASSIGN_OR_RETURN(const Incident incident, ReadIncident(line));
  if (format == "yaml") {
    std::fputs(RecordYaml(incident).c_str(), stdout);
    return absl::OkStatus();
  }
  const CardStyle style = {.colour = WantsColour(STDOUT_FILENO),
                           .signals_omitted = SignalsOmitted(line)};
  std::fputs(RenderCard(incident, style).c_str(), stdout);
  for (const TimelineEntry& entry : incident.timeline) {
    std::printf("%s %s %s%s%s\n", ClockText(entry.at).c_str(), Safe(entry.author).c_str(),
                Safe(entry.what).c_str(), entry.text.empty() ? "" : ": ", Safe(entry.text).c_str());
  }
  return absl::OkStatus();
}

template <typename Value, std::size_t kCount, typename NameOf>
Value Named(const Value (&values)[kCount], NameOf name_of, std::string_view name, Value fallback) {
  for (const Value value : values) {
    if (name_of(value) == name) return value;
  }
  return fallback;
}

absl::Status PrintMessage(const std::string& line, const IncidentsCommand& command) {
  TOCSIN_ASSIGN_OR_RETURN(const Incident incident, ReadIncident(line));
  MessageTemplates templates;
  if (!command.api.config.empty()) {
    const std::optional<Config> config = LoadOrExplain(command.api.config);
    if (!config) return absl::InvalidArgumentError("the configuration is wrong");
    ErrorList ignored;  // it was checked
    templates = ReadMessageTemplates(config->templates, &ignored);
  }
  const MessageAudience audience =
      Named(kMessageAudiences, MessageAudienceName, command.audience, MessageAudience::kInternal);
  const MessageStage stage =
      Named(kMessageStages, MessageStageName, command.stage, StageOf(incident));
  std::fputs(templates.Render(audience, stage, incident).c_str(), stdout);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ActionOf(const std::string& reply) {
  simdjson::dom::parser parser;
  std::string_view act;
  if (parser.parse(reply)["act"].get(act) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply names no act: is another program on that port?");
  }
  return std::string(act);
}

absl::Status ActOn(const IncidentsCommand& command) {
  TOCSIN_RETURN_IF_ERROR(CheckName(command.incident));
  TOCSIN_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::Open(command.api));
  JsonWriter json;
  json.BeginObject();
  json.Key("author").String(Author(command.author));
  json.Key("text").String(command.text);
  if (!command.expires.empty()) json.Key("for").String(command.expires);
  json.EndObject();
  const std::string path = "/api/v1/incidents/" + command.incident;
  TOCSIN_ASSIGN_OR_RETURN(const std::string reply,
                          client.Post(path + "/" + command.verb, json.Take()));
  TOCSIN_ASSIGN_OR_RETURN(const std::string act, ActionOf(reply));
  // Seen in the incident, it is in the log for good.
  for (int i = 0; i < kEffectTries; ++i) {
    TOCSIN_ASSIGN_OR_RETURN(const std::string line, client.Get(path));
    TOCSIN_ASSIGN_OR_RETURN(const Incident incident, ReadIncident(line));
    const auto done = std::find_if(incident.timeline.begin(), incident.timeline.end(),
                                   [&](const TimelineEntry& entry) { return entry.id == act; });
    if (done != incident.timeline.end()) {
      std::printf("%s is %s; %s by %s\n", incident.number.c_str(),
                  std::string(IncidentStateName(incident.state)).c_str(), Safe(done->what).c_str(),
                  Safe(done->author).c_str());
      return absl::OkStatus();
    }
    absl::SleepFor(kEffectEvery);
  }
  return absl::UnavailableError(
      "sent, but not decided yet: look again with `tocsin incidents show " + command.incident +
      "`");
}

absl::Status RunIncidents(const IncidentsCommand& command) {
  if (command.verb == "retry") return RetryParked(command);
  const bool reads = command.verb == "list" || command.verb == "show" || command.verb == "message";
  if (!reads) return ActOn(command);
  TOCSIN_ASSIGN_OR_RETURN(const IncidentSource source,
                          IncidentSource::Open(command.api, command.file));
  if (command.verb == "message") {
    TOCSIN_ASSIGN_OR_RETURN(const std::string line, source.Line(command.incident));
    return PrintMessage(line, command);
  }
  if (command.verb == "show") {
    TOCSIN_ASSIGN_OR_RETURN(const std::string line, source.Line(command.incident));
    TOCSIN_RETURN_IF_ERROR(Show(line, command.format));
    if (!command.file.empty() || command.format == "json" || command.format == "yaml") {
      return absl::OkStatus();
    }
    TOCSIN_ASSIGN_OR_RETURN(const std::string deliveries, source.Deliveries(command.incident));
    return PrintDeliveries(deliveries);
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::string list, source.List(command.all));
  if (command.format != "json") return PrintList(list, command.all);
  std::fputs((std::string(absl::StripAsciiWhitespace(list)) + "\n").c_str(), stdout);
  return absl::OkStatus();
}

absl::Status PrintSilences(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::array silences;
  if (parser.parse(json)["silences"].get(silences) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply is no list of silences");
  }
  if (silences.size() == 0) std::puts("No silences.");
  for (const simdjson::dom::element silence : silences) {
    std::string match;
    simdjson::dom::array matchers;
    if (silence["match"].get(matchers) == simdjson::SUCCESS) {
      for (const simdjson::dom::element matcher : matchers) {
        std::string_view text;
        if (matcher.get(text) == simdjson::SUCCESS) match += " " + Safe(text);
      }
    }
    const auto says = [&](const char* key) {
      bool value = false;
      return silence[key].get(value) == simdjson::SUCCESS && value;
    };
    const std::string every = Text(silence, "every");
    const std::string line =
        absl::StrCat(Text(silence, "name"), ": ", Text(silence, "starts"), " to ",
                     Text(silence, "ends"), every.empty() ? "" : ", every ", every,
                     says("active") ? " (now)" : "", ", ", says("planned") ? "planned" : "by ",
                     Text(silence, "author"), ",", match, "  ", Text(silence, "comment"));
    std::puts(line.c_str());
  }
  return absl::OkStatus();
}

absl::Status RunSilences(const SilencesCommand& command) {
  TOCSIN_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::Open(command.api));
  const std::string path = "/api/v1/silences";
  if (command.verb == "list") {
    TOCSIN_ASSIGN_OR_RETURN(const std::string json, client.Get(path));
    if (!command.json) return PrintSilences(json);
    std::fputs(json.c_str(), stdout);
    return absl::OkStatus();
  }
  if (command.verb == "expire") {
    TOCSIN_RETURN_IF_ERROR(CheckName(command.name));
    TOCSIN_RETURN_IF_ERROR(client.Delete(path + "/" + command.name).status());
    std::printf("%s ends now\n", command.name.c_str());
    return absl::OkStatus();
  }
  if (!command.name.empty()) TOCSIN_RETURN_IF_ERROR(CheckName(command.name));
  JsonWriter json;
  json.BeginObject();
  json.Key("match").BeginArray();
  for (const std::string& matcher : command.match) json.String(matcher);
  json.EndArray();
  const std::pair<const char*, std::string> texts[] = {
      {"name", command.name},   {"for", command.length},      {"starts", command.starts},
      {"every", command.every}, {"comment", command.comment}, {"author", Author(command.author)}};
  for (const auto& [key, text] : texts) {
    if (!text.empty()) json.Key(key).String(text);
  }
  json.EndObject();
  TOCSIN_ASSIGN_OR_RETURN(const std::string reply, client.Post(path, json.Take()));
  simdjson::dom::parser parser;
  std::string_view name;
  if (parser.parse(reply)["silence"].get(name) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply names no silence");
  }
  std::printf("%s\n", std::string(name).c_str());
  return absl::OkStatus();
}

absl::Status WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError("cannot write " + path.string());
}

absl::Status Draft(const PostmortemCommand& command) {
  TOCSIN_ASSIGN_OR_RETURN(const IncidentSource source,
                          IncidentSource::Open(command.api, command.file));
  TOCSIN_ASSIGN_OR_RETURN(const std::string line, source.Line(command.incident));
  TOCSIN_ASSIGN_OR_RETURN(const Incident incident, ReadIncident(line));
  const Postmortem draft = DraftPostmortem(incident);
  if (command.output.empty()) {
    std::fputs(draft.markdown.c_str(), stdout);
    return absl::OkStatus();
  }
  // The number names files, and may come from a file of lines that somebody sent.
  TOCSIN_RETURN_IF_ERROR(CheckName(incident.number));
  const std::filesystem::path directory(command.output);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return absl::UnavailableError("cannot create " + command.output);
  TOCSIN_RETURN_IF_ERROR(WriteFile(directory / (incident.number + ".md"), draft.markdown));
  TOCSIN_RETURN_IF_ERROR(WriteFile(directory / (incident.number + ".yaml"), RecordYaml(incident)));
  for (const auto& [name, svg] : draft.plots) {
    TOCSIN_RETURN_IF_ERROR(WriteFile(directory / name, svg));
  }
  std::printf("%s\n", (directory / (incident.number + ".md")).string().c_str());
  return absl::OkStatus();
}

}  // namespace

int Incidents(const IncidentsCommand& command) { return Explain(RunIncidents(command)); }

int Silences(const SilencesCommand& command) { return Explain(RunSilences(command)); }

int DraftPostmortemOf(const PostmortemCommand& command) { return Explain(Draft(command)); }

}  // namespace tocsin
