// `tocsin replay`: what would have been decided on recorded traffic.

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/incident_table.h"
#include "core/json_writer.h"
#include "replay/replayer.h"
#include "runtime/line_file.h"

namespace tocsin {
namespace {

// One line that is rewritten on a terminal, and nothing elsewhere.
class ProgressBar {
 public:
  void Show(double share, std::int64_t events) {
    if (!terminal_ || absl::Now() < next_) return;
    next_ = absl::Now() + absl::Milliseconds(200);
    if (share < 0) {
      std::fprintf(stderr, "\r%lld events\033[K", static_cast<long long>(events));
      return;
    }
    const int filled = static_cast<int>(share * 30);
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(30, '.');
    std::fprintf(stderr, "\r[%s] %3d %% %lld events\033[K", bar.c_str(),
                 static_cast<int>(share * 100), static_cast<long long>(events));
  }
  void Clear() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  absl::Time next_ = absl::InfinitePast();
};

std::string CountsText(const ReplayStats& stats) {
  return absl::StrFormat(
      "%d events in %.3g s; %d late, %d quarantined, %d undecodable; %d signals, %d incidents\n",
      stats.events, stats.seconds, stats.late, stats.quarantined, stats.undecodable, stats.signals,
      stats.incidents);
}

bool IsStdout(const std::string& path) { return path == "-" || path == "/dev/stdout"; }

// What people or a program read at the end. Lines that go to stdout are not mixed with it.
bool Summarise(const ReplayCommand& command, const IncidentTable& incidents,
               const ReplayStats& stats) {
  const bool lines_on_stdout =
      IsStdout(command.incidents) || IsStdout(command.signals) || IsStdout(command.stats);
  std::FILE* const out = lines_on_stdout ? stderr : stdout;
  const int descriptor = fileno(out);
  // `--format` names the format of the input (docs/decisions); who pipes what is said of JSON into
  // a program means that, too.
  const bool piped = out == stdout && isatty(descriptor) == 0;
  const bool as_json =
      command.output == "json" || (command.output.empty() && command.format == "json" && piped);
  std::string text;
  if (as_json) {
    JsonWriter json;
    json.BeginObject();
    json.Key("incidents").Raw(incidents.Json());
    json.Key("stats").Raw(stats.ToJson());
    json.EndObject();
    text = json.Take() + "\n";
  } else {
    text = incidents.Text(TerminalOf(descriptor)) + CountsText(stats);
    if (stats.undecodable > 0) text += "`tocsin decode --explain FILE` says what is undecodable\n";
  }
  return std::fputs(text.c_str(), out) >= 0 && std::fflush(out) == 0;
}

int Explain(const absl::Status& status) {
  const int code = ExitWith(status);
  return absl::IsFailedPrecondition(status) ? kUsage : code;
}

}  // namespace

int ReplayRecorded(const ReplayCommand& command) {
  const std::optional<Config> config = LoadOrExplain(command.config);
  if (!config) return kFinding;
  ProgressBar bar;
  IncidentTable incidents;
  const absl::StatusOr<ReplayStats> stats =
      Replay({.config = &*config,
              .inputs = command.inputs,
              .format = command.format,
              .signal = command.signal,
              .record_time = command.record_time,
              .incidents_path = command.incidents,
              .signals_path = command.signals,
              .threads = command.threads,
              .progress = [&](double share, std::int64_t events) { bar.Show(share, events); },
              .on_decision =
                  [&](const Decision& decision) {
                    for (const Incident& incident : decision.incidents) incidents.Put(incident);
                  }});
  bar.Clear();
  if (!stats.ok()) return Explain(stats.status());
  absl::StatusOr<LineFile> file = LineFile::Create(command.stats);
  if (!file.ok()) return Explain(file.status());
  file->Write(stats->ToJson());
  if (const absl::Status closed = file->Close(); !closed.ok()) return Explain(closed);
  for (const std::string& note : stats->notes) std::fprintf(stderr, "tocsin: %s\n", note.c_str());
  if (!Summarise(command, incidents, *stats)) {
    return Explain(absl::UnavailableError("writing the result failed: is the disk full?"));
  }
  if (!command.format.empty() && stats->events == 0 && stats->undecodable > 0) {
    std::fprintf(
        stderr,
        "tocsin: nothing could be read as %s, which --format says the input is; without it "
        "the configuration says, or it is detected. --output json prints the result as "
        "JSON\n",
        command.format.c_str());
    return kFinding;
  }
  return kDone;
}

}  // namespace tocsin
