// The tocsin program: the command line of §6 of the design, and nothing else.

#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "app/demo.h"

namespace {

constexpr int kThreadsMax = 256;

void AddConfig(CLI::App* command, std::string* config) {
  command->add_option("-c,--config", *config, "a YAML file, or a built-in profile such as @rupaya")
      ->required();
}

void AddOutputs(CLI::App* command, std::string* incidents, std::string* signals, int* threads) {
  command->add_option("--incidents", *incidents, "write incidents as JSON lines to this file");
  command->add_option("--signals", *signals, "write signals as JSON lines to this file");
  command->add_option("--threads", *threads, "threads for evaluation (default: all cores)")
      ->check(CLI::Range(0, kThreadsMax));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("tocsin: one page per incident, from logs and metrics in Kafka");
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
      "Example: tocsin replay -c @rupaya --incidents - logs/ kafka://localhost:9092/app-logs");
  AddConfig(replay_app, &replay.config);
  AddOutputs(replay_app, &replay.incidents, &replay.signals, &replay.threads);
  replay_app
      ->add_option("INPUT", replay.inputs,
                   "files, directories, - for stdin, or kafka://HOST:PORT/TOPIC[?from=…&to=…]")
      ->required();
  replay_app->add_option("--stats", replay.stats, "write one JSON object of figures to this file");
  replay_app->add_option("--format", replay.format,
                         "format of the input, or auto (default: as configured)");

  tocsin::DecodeCommand decode;
  CLI::App* decode_app = app.add_subcommand("decode", "print the events of a file as JSON lines");
  decode_app->footer("Example: tocsin decode --format clf --explain access.log");
  decode_app->add_option("--format", decode.format,
                         "format of the file (default: as configured, else auto)");
  decode_app->add_option("-c,--config", decode.config,
                         "a YAML file whose input of this file says how to read it");
  decode_app->add_flag("--explain", decode.explain, "say what was skipped, and why");
  decode_app->add_option("FILE", decode.file, "a file, a directory, or - for stdin")->required();

  std::vector<std::string> configs;
  CLI::App* check_app = app.add_subcommand("check", "find every error of a configuration");
  check_app->footer("Example: tocsin check tocsin.yaml");
  check_app->add_option("CONFIG", configs, "YAML files or @profiles")->required();

  tocsin::DemoOptions demo;
  CLI::App* demo_app =
      app.add_subcommand("demo", "an incident from deploy to page, in half a minute");
  demo_app->footer("Example: tocsin demo");
  demo_app->add_option("--write", demo.write_path, "write the story's events to this file and end");
  demo_app
      ->add_option("--stand-in", demo.stand_in_port,
                   "only run the PagerDuty stand-in on this port, until Ctrl-C")
      ->check(CLI::Range(0, 65535));

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? tocsin::kDone : tocsin::kUsage;
  }
  if (run_app->parsed()) return tocsin::Run(run);
  if (replay_app->parsed()) return tocsin::ReplayRecorded(replay);
  if (decode_app->parsed()) return tocsin::DecodeFiles(decode);
  if (check_app->parsed()) return tocsin::Check(configs);
  return tocsin::RunDemo(demo);
}
