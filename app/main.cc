// The tocsin program: the command line of §6 of the design, and nothing else.

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/state_command.h"
#include "config/node.h"
#include "core/hash.h"
#include "demo/demo.h"

namespace {

constexpr int kThreadsMax = 256;

void AddConfig(CLI::App* command, std::string* config) {
  command->add_option("-c,--config", *config, "a YAML file, or a built-in profile such as @rupaya")
      ->required();
}

void AddSignal(CLI::App* command, std::string* signal) {
  command->add_option("--signal", *signal, "what a file of format otlp-proto is of")
      ->check(CLI::IsMember({"logs", "metrics"}));
}

// A time as RFC 3339 or an epoch number.
void AddTime(CLI::App* command, tocsin::TimeUs* time, const char* help) {
  const auto parse = [time](const std::string& text) {
    const std::optional<tocsin::TimeUs> parsed = tocsin::ParseTime(text);
    if (!parsed) {
      throw CLI::ValidationError("--time", "expected a time such as 2026-03-10T21:00:00Z");
    }
    *time = *parsed;
  };
  command->add_option_function<std::string>("--time", parse, help);
}

void AddOutputs(CLI::App* command, std::string* incidents, std::string* signals, int* threads) {
  command->add_option("--incidents", *incidents, "write incidents as JSON lines to this file");
  command->add_option("--signals", *signals, "write signals as JSON lines to this file");
  command->add_option("--threads", *threads, "threads for evaluation (default: all cores)")
      ->check(CLI::Range(0, kThreadsMax));
}

void AddApi(CLI::App* command, tocsin::ApiOptions* api) {
  command->add_option("-c,--config", api->config,
                      "the configuration of the running tocsin, whose `listen` says where it is");
  command->add_option("--url", api->url, "where it is (default: http://127.0.0.1:9464)");
  command->add_option("--token-file", api->token_file, "a file whose first line is its API token");
}

void AddIncidents(CLI::App* app, tocsin::IncidentsCommand* command) {
  CLI::App* incidents = app->add_subcommand("incidents", "list incidents, and act on them");
  incidents->require_subcommand(1);
  incidents->footer("Example: tocsin incidents ack INC-2026-001 --text \"rolling back\"");
  // `example` is what follows the command's name.
  const auto add = [&](const char* name, const char* verb, const char* help, const char* example) {
    CLI::App* one = incidents->add_subcommand(name, help);
    one->footer(std::string("Example: tocsin incidents ") + name + example);
    AddApi(one, &command->api);
    one->callback([command, verb] { command->verb = verb; });
    return one;
  };
  const auto with_incident = [&](CLI::App* one) {
    one->add_option("INCIDENT", command->incident, "its number or id")->required();
    return one;
  };
  const auto with_author = [&](CLI::App* one) {
    one->add_option("--author", command->author, "who acts (default: $USER)");
    return with_incident(one);
  };
  CLI::App* list =
      add("list", "list", "the open ones, the most severe first; * is muted", " --all");
  list->add_flag("--all", command->all, "resolved ones too");
  list->add_option("--format", command->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  list->add_option("--incidents", command->file, "a file of incident lines to read instead");
  CLI::App* show = with_incident(add("show", "show", "everything about one", " INC-2026-001"));
  show->add_option("--format", command->format, "text, json, or yaml: the incident record")
      ->check(CLI::IsMember({"text", "json", "yaml"}));
  show->add_option("--incidents", command->file, "a file of incident lines to read instead");
  CLI::App* message = with_incident(
      add("message", "message", "what to tell people about it", " INC-2026-001 --to public"));
  message
      ->add_option("--to", command->audience,
                   "internal, public (a status page) or email (default: internal)")
      ->check(CLI::IsMember({"internal", "public", "email"}));
  message
      ->add_option(
          "--stage", command->stage,
          "declared, update, identified, monitoring or resolved (default: the one it is in)")
      ->check(CLI::IsMember({"declared", "update", "identified", "monitoring", "resolved"}));
  message->add_option("--incidents", command->file, "a file of incident lines to read instead");
  CLI::App* ack = with_author(
      add("ack", "acknowledge", "somebody is on it", " INC-2026-001 --text \"rolling back\""));
  ack->add_option("--text", command->text, "a note");
  ack->add_option("--for", command->expires, "open again after so long, such as 2h");
  with_author(add("resolve", "resolve", "it is over, whatever still fires",
                  " INC-2026-001 --text \"not ours\""))
      ->add_option("--text", command->text, "what was done");
  with_author(add("note", "note", "add to its timeline", " INC-2026-001 \"the disk is fine\""))
      ->add_option("TEXT", command->text, "what to note")
      ->required();
  with_author(add("link", "link", "link a ticket or a document",
                  " INC-2026-001 https://tracker.example/4711"))
      ->add_option("URL", command->text, "where it is")
      ->required();
  with_incident(add("retry", "retry", "send again what a sink refused", " INC-2026-001"));
}

void AddSilences(CLI::App* app, tocsin::SilencesCommand* command) {
  CLI::App* silences = app->add_subcommand("silences", "what pages nobody for a while");
  silences->require_subcommand(1);
  silences->footer(
      "Example: tocsin silences add service=api env=prod --for 2h --comment \"moving the disk\"");
  const auto add = [&](const char* name, const char* help, const char* example) {
    CLI::App* one = silences->add_subcommand(name, help);
    one->footer(std::string("Example: tocsin silences ") + name + example);
    AddApi(one, &command->api);
    one->callback([command, name] { command->verb = name; });
    return one;
  };
  add("list", "those that are planned, or that people asked for", "")
      ->add_flag("--json", command->json, "as JSON");
  CLI::App* one = add("add", "signals that match page nobody; incidents are tracked and say so",
                      " service=api env=prod --for 2h --comment \"moving the disk\"");
  one->add_option("MATCHER", command->match,
                  "name=value, name!=value, name=~RE2 or name!~RE2 on a signal's labels, detector, "
                  "kind, category or classification; a missing label is not equal")
      ->required();
  one->add_option("--for", command->length, "how long, such as 2h")->required();
  one->add_option("--starts", command->starts, "when, in RFC 3339 (default: now)");
  one->add_option("--every", command->every, "again after so long, such as 7d");
  one->add_option("--comment", command->comment, "why");
  one->add_option("--author", command->author, "who asks (default: $USER)");
  one->add_option("--name", command->name, "its name (default: a random one)");
  add("expire", "end one now", " moving-the-disk")
      ->add_option("NAME", command->name, "its name")
      ->required();
}

void AddPostmortem(CLI::App* app, tocsin::PostmortemCommand* command) {
  CLI::App* one = app->add_subcommand("postmortem", "the draft of a post-mortem, in Markdown");
  one->footer("Example: tocsin postmortem INC-2026-001 --output postmortems/");
  AddApi(one, &command->api);
  one->add_option("--incidents", command->file, "a file of incident lines to read instead");
  one->add_option("--output", command->output,
                  "a directory for the draft, its plots (SVG) and the incident record (YAML)");
  one->add_option("INCIDENT", command->incident, "its number or id")->required();
}

// What to say where the first words name no command; "" where they do.
std::string UnknownCommand(const CLI::App& app, int argc, char** argv) {
  std::string path = "tocsin";
  const CLI::App* at = &app;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* one : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(one->get_name());
      if (one->get_name() == argv[i]) next = one;
    }
    if (names.empty()) break;  // the rest are arguments
    if (next == nullptr) {
      const std::string nearest = tocsin::Nearest(argv[i], names);
      return path + ": there is no command '" + argv[i] + "'" +
             (nearest.empty() ? "; see " + path + " --help" : ": did you mean '" + nearest + "'?");
    }
    path += " " + next->get_name();
    at = next;
  }
  return "";
}

void AddState(CLI::App* app, tocsin::StateCommand* command) {
  CLI::App* state = app->add_subcommand("state", "look at a state directory, or repair one");
  state->require_subcommand(1);
  state->footer("Example: tocsin state check -c tocsin.yaml");
  const auto add = [&](const char* verb, const char* help) {
    CLI::App* one = state->add_subcommand(verb, help);
    one->footer(std::string("Example: tocsin state ") + verb + " -c tocsin.yaml");
    one->add_option("-c,--config", command->config, "the configuration whose state it is");
    one->add_option("DIR", command->directory, "the directory (default: ./state)");
    one->callback([command, verb] { command->verb = verb; });
  };
  add("check", "print what is there and all that is damaged; changes nothing");
  add("repair", "save what is intact of a damaged one, beside a copy of it");
}

}  // namespace

int main(int argc, char** argv) {
  std::random_device random;
  tocsin::SeedTableHash(std::uint64_t{random()} << 32 | random());
  CLI::App app("tocsin: one page per incident, from logs and metrics in Kafka, files and HTTP",
               "tocsin");
  app.footer("Example: tocsin replay -c @generic access.log    (tocsin COMMAND --help says more)");
  app.set_version_flag("--version", TOCSIN_VERSION);
  app.require_subcommand(1);

  tocsin::RunCommand run;
  CLI::App* run_app = app.add_subcommand("run", "read the inputs, decide, and page");
  run_app->footer("Example: tocsin run -c tocsin.yaml --incidents incidents.jsonl");
  AddConfig(run_app, &run.config);
  AddOutputs(run_app, &run.incidents, &run.signals, &run.threads);

  tocsin::ReplayCommand replay;
  CLI::App* replay_app =
      app.add_subcommand("replay", "what would have been decided on recorded traffic");
  replay_app->footer(
      "Prints the incidents, then the counts; with --incidents every change of one as well.\n"
      "Example: tocsin replay -c @rupaya --incidents incidents.jsonl logs/ "
      "kafka://localhost:9092/app-logs");
  AddConfig(replay_app, &replay.config);
  AddOutputs(replay_app, &replay.incidents, &replay.signals, &replay.threads);
  replay_app
      ->add_option("INPUT", replay.inputs,
                   "files, directories, - for stdin, or kafka://HOST:PORT/TOPIC[?from=…&to=…]")
      ->required();
  replay_app->add_option("--stats", replay.stats, "write one JSON object of figures to this file");
  replay_app->add_option("--format", replay.format,
                         "format of the input, or auto (default: as configured)");
  AddSignal(replay_app, &replay.signal);
  AddTime(replay_app, &replay.record_time,
          "when files were written whose records do not say it, or leave out the year");
  replay_app
      ->add_option("--output", replay.output,
                   "how the result is printed: text, or json for programs (default: text; json "
                   "where --format is json and stdout is no terminal)")
      ->check(CLI::IsMember({"text", "json"}));

  tocsin::DecodeCommand decode;
  CLI::App* decode_app = app.add_subcommand("decode", "print the events of a file as JSON lines");
  decode_app->footer("Example: tocsin decode --format clf --explain access.log");
  decode_app->add_option("--format", decode.format,
                         "format of the file (default: as configured, else auto)");
  AddSignal(decode_app, &decode.signal);
  AddTime(decode_app, &decode.record_time,
          "when records were written that do not say it (default: when the file was)");
  decode_app->add_option("-c,--config", decode.config,
                         "a YAML file whose input of this file says how to read it");
  decode_app->add_flag("--explain", decode.explain, "say what was skipped, and why");
  decode_app->add_option("FILE", decode.file, "a file, a directory, or - for stdin")->required();

  tocsin::CheckCommand check;
  CLI::App* check_app = app.add_subcommand("check", "find every error of a configuration");
  check_app->footer("Example: tocsin check tocsin.yaml");
  check_app->add_option("-c,--config,CONFIG", check.configs, "YAML files or @profiles")->required();
  check_app->add_flag("--secrets", check.secrets,
                      "a secret or certificate that is not there is an error, as it is for `run`");
  check_app->add_flag("--connect", check.connect,
                      "ask the brokers for the inputs' topics, and look for their files");
  check_app->add_flag("--send-test", check.send_test,
                      "also send a marked test through every route, and end it");

  tocsin::ExplainCommand explain;
  CLI::App* explain_app =
      app.add_subcommand("explain", "what a configuration makes of an event or an incident");
  explain_app->footer(
      "Example: tocsin explain -c @rupaya '{\"time\": \"2026-03-01T21:05:00Z\", \"type\": "
      "\"request\", \"service\": \"api\", \"status\": 503}'");
  explain_app->add_option("-c,--config", explain.config, "a YAML file or a @profile")->required();
  explain_app->add_option("--format", explain.format,
                          "format of the files (default: as configured)");
  explain_app->add_option("--input", explain.input, "the input that they would come from");
  explain_app->add_option("--incidents", explain.incidents,
                          "a file of incident lines to read instead of the running tocsin's");
  explain_app
      ->add_option("EVENT", explain.events,
                   "events as JSON, or files of them; deploys among them are suspects; or the "
                   "number or id of an incident: why its signals are one")
      ->required();

  tocsin::StatusCommand status;
  CLI::App* status_app =
      app.add_subcommand("status", "how a running tocsin is: its inputs, and what is wrong");
  status_app->footer("Example: tocsin status -c tocsin.yaml");
  AddApi(status_app, &status.api);
  std::string status_format = "text";
  status_app->add_option("--format", status_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));

  tocsin::IncidentsCommand incidents;
  AddIncidents(&app, &incidents);
  tocsin::SilencesCommand silences;
  AddSilences(&app, &silences);
  tocsin::PostmortemCommand postmortem;
  AddPostmortem(&app, &postmortem);

  tocsin::StateCommand state;
  AddState(&app, &state);

  tocsin::DemoOptions demo;
  CLI::App* demo_app =
      app.add_subcommand("demo", "an incident from deploy to page, in half a minute");
  demo_app->footer("Example: tocsin demo");
  demo_app->add_option("--write", demo.write_path, "write the story's events to this file and end");
  demo_app
      ->add_option("--stand-in", demo.stand_in_port,
                   "only run the PagerDuty stand-in on this port, until Ctrl-C")
      ->check(CLI::Range(0, 65535));

  if (const std::string unknown = UnknownCommand(app, argc, argv); !unknown.empty()) {
    std::fprintf(stderr, "%s\n", unknown.c_str());
    return tocsin::kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? tocsin::kDone : tocsin::kUsage;
  }
  if (run_app->parsed()) return tocsin::Run(run);
  if (replay_app->parsed()) return tocsin::ReplayRecorded(replay);
  if (decode_app->parsed()) return tocsin::DecodeFiles(decode);
  if (explain_app->parsed()) return tocsin::ExplainEvents(explain);
  if (status_app->parsed()) {
    status.json = status_format == "json";
    return tocsin::ShowStatus(status);
  }
  if (app.got_subcommand("incidents")) return tocsin::Incidents(incidents);
  if (app.got_subcommand("silences")) return tocsin::Silences(silences);
  if (app.got_subcommand("state")) return tocsin::State(state);
  if (app.got_subcommand("postmortem")) return tocsin::DraftPostmortemOf(postmortem);
  if (check_app->parsed()) return tocsin::Check(check);
  return tocsin::RunDemo(demo);
}
