// The commands of the tocsin program, one function each, apart from how the command line is
// written.
//
// Each prints results on stdout, progress and errors on stderr, and returns the exit code of the
// design: 0 done, 1 a finding (failed check, invalid configuration), 2 wrong usage, 3 environment
// failure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "replay/replayer.h"

namespace tocsin {

enum ExitCode : int { kDone = 0, kFinding = 1, kUsage = 2, kEnvironment = 3 };

struct RunCommand {
  std::string config;
  std::string incidents;
  std::string signals;
  int threads = 0;
};
int Run(const RunCommand& command);

struct ReplayCommand {
  std::string config;
  std::vector<std::string> inputs;
  std::string incidents;
  std::string signals;
  std::string stats;
  std::string format;
  std::string signal = {};  // of format otlp-proto
  int threads = 0;
};
int ReplayRecorded(const ReplayCommand& command);

struct DecodeCommand {
  std::string format;       // empty: as configured, else auto
  std::string signal = {};  // of format otlp-proto
  std::string config;       // empty: none
  std::string file;         // or a directory, or "-"
  bool explain = false;
};
// Canonical events on stdout; on stderr how many, and what was not used; with `explain` each.
int DecodeFiles(const DecodeCommand& command);

struct ExplainCommand {
  std::string config;
  std::vector<std::string> events;  // JSON, or files of events
  std::string format;               // of files; empty: as configured
  std::string input;                // where they would come from; empty: any
};
// What the configuration would make of each event, on stdout.
int ExplainEvents(const ExplainCommand& command);

// Where a running tocsin answers, and how to act there.
struct ApiOptions {
  std::string config;      // whose `listen` and `api_token_file` say it; or
  std::string url;         // "http://127.0.0.1:9464"
  std::string token_file;  // overrides the config's
};

struct StatusCommand {
  ApiOptions api;
  bool json = false;
};
// How a running tocsin is: its inputs, and what is wrong.
int ShowStatus(const StatusCommand& command);

struct IncidentsCommand {
  ApiOptions api;
  std::string file;      // incident lines instead of a running tocsin; empty: none
  std::string verb;      // list, show, message, acknowledge, resolve, note, link, retry
  std::string incident;  // an id or a number
  std::string text;      // of a note or link; with what to acknowledge or resolve
  std::string author;    // empty: the user who runs this
  std::string expires;   // of an acknowledgement: "2h"
  std::string format;    // of list: text, json; of show: text, json, yaml
  bool all = false;      // of list: resolved ones too
  std::string audience = "internal";  // of message
  std::string stage;                  // of message; empty: the one it is in
};
int Incidents(const IncidentsCommand& command);

struct SilencesCommand {
  ApiOptions api;
  std::string verb;  // list, add, expire
  std::string name;
  std::vector<std::string> match;  // "service=api"
  std::string length, starts, every, comment, author;
  bool json = false;
};
int Silences(const SilencesCommand& command);

struct PostmortemCommand {
  ApiOptions api;
  std::string file;
  std::string incident;
  std::string output;  // a directory for the draft and its plots; empty: the draft on stdout
};
int DraftPostmortemOf(const PostmortemCommand& command);

// Every error of the configurations, or what they say; with `send_test` also app/send_test.h.
int Check(const std::vector<std::string>& configs, bool send_test);

// With what its kinds of detectors, inputs and sinks say; nullopt where anything is wrong.
std::optional<Config> LoadChecked(const std::string& path, ErrorList* errors);
// Prints every error on stderr; nullopt then.
std::optional<Config> LoadOrExplain(const std::string& path);
// The exit code of a command that ended so; says what is wrong on stderr.
int ExitWith(const absl::Status& status);

}  // namespace tocsin
