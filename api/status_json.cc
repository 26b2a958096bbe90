#include "api/status_json.h"

#include <simdjson.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "sinks/incident_text.h"

namespace tocsin {
namespace {

// Of an input with thousands of partitions or files those that something is wrong with come first.
constexpr std::size_t kSourcesMax = 1'000;

void WriteTime(TimeUs time, JsonWriter* json) {
  time == kNoTime ? json->Null() : json->String(FormatTime(time));
}

void WriteSource(const SourceStatus& source, JsonWriter* json) {
  json->BeginObject();
  json->Key("source").String(source.source);
  WriteTime(source.clock, &json->Key("clock"));
  json->Key("records").Int(source.counters.records);
  json->Key("events").Int(source.counters.events);
  json->Key("late").Int(source.counters.late);
  json->Key("quarantined").Int(source.counters.quarantined);
  json->Key("undecodable").Int(source.counters.undecodable);
  json->Key("at_end").Bool(source.at_end);
  json->Key("paused").Bool(source.paused);
  json->Key("excluded").Bool(source.excluded);
  if (!source.problem.empty()) json->Key("problem").String(source.problem);
  json->EndObject();
}

void WriteInput(const InputStatus& input, JsonWriter* json) {
  json->BeginObject();
  json->Key("name").String(input.name);
  json->Key("state").String(InputStateName(input.state));
  json->Key("up").Bool(input.IsUp());
  if (!input.reason.empty()) json->Key("reason").String(input.reason);
  json->Key("failures").Int(input.failures);
  json->Key("skipped").Int(input.skipped);
  json->Key("sources_total").Int(static_cast<std::int64_t>(input.sources.size()));
  json->Key("sources").BeginArray();
  std::size_t written = 0;
  for (const bool wrong : {true, false}) {
    for (const SourceStatus& source : input.sources) {
      const bool is_wrong = !source.problem.empty() || source.excluded;
      if (is_wrong == wrong && ++written <= kSourcesMax) WriteSource(source, json);
    }
  }
  json->EndArray();
  json->EndObject();
}

std::string_view Text(const simdjson::dom::element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::int64_t Number(const simdjson::dom::element& object, const char* key) {
  std::int64_t number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

bool Flag(const simdjson::dom::element& object, const char* key) {
  bool flag = false;
  return object[key].get(flag) == simdjson::SUCCESS && flag;
}

// "input app-logs: running, 4 sources, 1,200 events", and a line for each source that is not well.
void AppendInput(const simdjson::dom::element& input, std::string* out) {
  simdjson::dom::array sources;
  if (input["sources"].get(sources) != simdjson::SUCCESS) return;
  std::int64_t events = 0, unusable = 0, undecodable = 0;
  std::string problems;
  for (const simdjson::dom::element source : sources) {
    events += Number(source, "events");
    unusable += Number(source, "late") + Number(source, "quarantined");
    undecodable += Number(source, "undecodable");
    const std::string_view problem = Text(source, "problem");
    if (problem.empty() && !Flag(source, "excluded")) continue;
    absl::StrAppend(&problems, "  ", Safe(Text(source, "source")),
                    Flag(source, "excluded") ? ": decisions go on without it" : "",
                    problem.empty() ? "" : ": ", Safe(problem), "\n");
  }
  absl::StrAppend(out, Flag(input, "up") ? "up    " : "DOWN  ", "input ", Safe(Text(input, "name")),
                  ": ", Safe(Text(input, "state")));
  if (!Text(input, "reason").empty()) absl::StrAppend(out, ": ", Safe(Text(input, "reason")));
  absl::StrAppend(out, "; ", Number(input, "sources_total"), " sources, ", events, " events");
  if (unusable > 0) absl::StrAppend(out, ", ", unusable, " too late or too early");
  if (undecodable > 0) absl::StrAppend(out, ", ", undecodable, " undecodable");
  if (Number(input, "failures") > 0) {
    absl::StrAppend(out, "; failed ", Number(input, "failures"), " times");
  }
  absl::StrAppend(out, "\n", problems);
}

}  // namespace

std::string StatusJson(const PipelineStatus& status, TimeUs now) {
  JsonWriter json;
  json.BeginObject();
  WriteTime(now, &json.Key("now"));
  json.Key("version").String(TOCSIN_VERSION);
  json.Key("ready").Bool(status.assigned && status.caught_up && !status.blind.blind);
  if (!status.not_ready.empty()) json.Key("not_ready").String(status.not_ready);
  json.Key("blind").Bool(status.blind.blind);
  json.Key("blind_reasons").BeginArray();
  for (const std::string& reason : status.blind.reasons) json.String(reason);
  json.EndArray();
  json.Key("lag_s").Number(static_cast<double>(status.lag) / kSecondUs);
  WriteTime(status.last_tick, &json.Key("last_tick"));
  json.Key("series").Int(static_cast<std::int64_t>(status.series));
  json.Key("open_incidents").Int(static_cast<std::int64_t>(status.open_incidents));
  json.Key("deliveries_pending").Int(static_cast<std::int64_t>(status.deliveries_pending));
  json.Key("snapshots").Int(status.snapshots);
  json.Key("state_error");
  status.log.disk.failing_since == kNoTime ? json.Null() : json.String(status.log.disk.Reason());
  json.Key("waiting_bytes").Int(static_cast<std::int64_t>(status.log.disk.bytes));
  json.Key("clock_deviation_s").Number(static_cast<double>(status.clock_deviation) / kSecondUs);
  json.Key("inputs").BeginArray();
  for (const InputStatus& input : status.inputs) WriteInput(input, &json);
  json.EndArray();
  json.EndObject();
  return json.Take();
}

absl::StatusOr<std::string> StatusText(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element status;
  simdjson::dom::array inputs, reasons;
  if (parser.parse(json).get(status) != simdjson::SUCCESS ||
      status["inputs"].get(inputs) != simdjson::SUCCESS ||
      status["blind_reasons"].get(reasons) != simdjson::SUCCESS) {
    return absl::UnavailableError("the reply is no status");
  }
  std::string out;
  for (const simdjson::dom::element reason : reasons) {
    std::string_view text;
    if (reason.get(text) == simdjson::SUCCESS) absl::StrAppend(&out, "BLIND ", Safe(text), "\n");
  }
  for (const simdjson::dom::element input : inputs) AppendInput(input, &out);
  const std::string_view state_error = Text(status, "state_error");
  absl::StrAppend(&out,
                  state_error.empty() ? "up    state: can be written"
                                      : absl::StrCat("DOWN  state: ", Safe(state_error)),
                  "; ", Number(status, "snapshots"), " snapshots since the start\n");
  absl::StrAppend(
      &out, Flag(status, "ready") ? "up    " : "DOWN  ", "decisions: ",
      Text(status, "last_tick").empty() ? "none yet"
                                        : absl::StrCat("up to ", Safe(Text(status, "last_tick"))),
      ", ", Number(status, "series"), " series, ", Number(status, "open_incidents"),
      " open incidents, ", Number(status, "deliveries_pending"), " messages on their way");
  if (!Text(status, "not_ready").empty()) {
    absl::StrAppend(&out, "; not ready: ", Safe(Text(status, "not_ready")));
  }
  return out + "\n";
}

}  // namespace tocsin
