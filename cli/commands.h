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
#include "cli/api_client.h"
#include "core/time.h"

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
  std::string signal = {};       // of format otlp-proto
  TimeUs record_time = kNoTime;  // of records of files that say none
  std::string output = {};       // text, json; empty: as stdout and `format` suggest
  int threads = 0;
};
// The incidents as people read them, then the counts.
int ReplayRecorded(const ReplayCommand& command);

struct DecodeCommand {
  std::string format;       // empty: as configured, else auto
  std::string signal = {};  // of format otlp-proto
  std::string config;       // empty: none
  std::string file;         // or a directory, or "-"
  bool explain = false;
  // Of records that say none; kNoTime: when the file was written, of stdin now.
  TimeUs record_time = kNoTime;
};
// Canonical events on stdout; on stderr how many, and what was not used; with `explain` each.
int DecodeFiles(const DecodeCommand& command);

// When a file was written: the time of its records that say none. Now for "-" and for what is not
// there.
TimeUs TimeWritten(const std::string& path);

struct ExplainCommand {
  std::string config;
  std::vector<std::string> events;  // JSON, or files of events; or numbers or ids of incidents
  std::string format;               // of files; empty: as configured
  std::string input;                // where they would come from; empty: any
  std::string incidents;            // a file of incident lines; empty: of the running tocsin
};
// What the configuration would make of each event, and why the signals of each incident are in it,
// on stdout.
int ExplainEvents(const ExplainCommand& command);

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

struct CheckCommand {
  std::vector<std::string> configs;
  bool secrets = false;    // one that is not there is an error, as for Run; else a warning
  bool connect = false;    // also cli/check_connect.h
  bool send_test = false;  // also cli/send_test.h
};
// Every error of the configurations, or what they say.
int Check(const CheckCommand& command);

// The exit code of a command that ended so; says what is wrong on stderr.
int ExitWith(const absl::Status& status);

}  // namespace tocsin
